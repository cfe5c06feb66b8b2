"""The sentences about the served models, without a server."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from image_classifier import Settings
from image_classifier.models.serving_config import ModelConfig
from model_server.metrics import Metrics
from model_server.served_models import ServedModels

ROOT = Path(__file__).resolve().parents[2]
DIGITS = ROOT / "models" / "digits"


@contextmanager
def served(models: Sequence[ModelConfig]) -> Iterator[ServedModels]:
    """Loaded models, whose folders are not watched."""
    loaded = ServedModels(Settings.from_environ({}), models, Metrics(), poll_seconds=0)
    try:
        loaded.start()
        yield loaded
    finally:
        loaded.close()


def test_a_loaded_model_is_named_with_its_version_and_nothing_is_missed() -> None:
    with served([ModelConfig("digits", DIGITS)]) as models:
        assert models.describe() == ["digits: version 1"]
        assert models.is_ready()


def test_a_model_without_a_version_folder_is_told_where_to_put_one(tmp_path: Path) -> None:
    with served([ModelConfig("new", tmp_path), ModelConfig("digits", DIGITS)]) as models:
        assert models.describe() == [
            f"new: there is no version folder yet, such as {tmp_path / '1'}",
            "digits: version 1",
        ]
        assert not models.is_ready()


def test_a_model_that_failed_has_its_reason_and_no_word_of_a_missing_folder(
    tmp_path: Path,
) -> None:
    shutil.copytree(DIGITS / "1", tmp_path / "1")
    (tmp_path / "1" / "model.onnx").write_bytes(b"damaged")
    with served([ModelConfig("broken", tmp_path)]) as models:
        (line,) = models.describe()

    assert line.startswith("broken: version 1: ")
    assert "version folder" not in line
