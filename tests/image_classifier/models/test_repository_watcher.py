"""Models are loaded before they are asked for, exchanged under load, and leave no memory behind."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from image_classifier import Classifier, Settings
from image_classifier.classifier import APP_ROOT
from image_classifier.errors import UnknownModel
from image_classifier.models.configured_repository import ConfiguredRepository
from image_classifier.models.repository_watcher import RepositoryWatcher
from image_classifier.models.serving_config import AllVersions, ModelConfig
from tests.support.builders import model_folder

ROOT = Path(__file__).resolve().parents[3]
MODEL_BYTES = 40_000_000


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def watched(
    *configs: ModelConfig, poll_seconds: float = 0.02
) -> tuple[Classifier, RepositoryWatcher]:
    settings = Settings.from_environ({})
    repository = ConfiguredRepository(settings, app_root=APP_ROOT, models=configs)
    classifier = Classifier(settings, repository=repository)
    watcher = RepositoryWatcher(repository, poll_seconds=poll_seconds)
    watcher.start(configs)
    return classifier, watcher


def test_models_are_loaded_when_start_returns(tmp_path: Path, colours_onnx: bytes) -> None:
    model_folder(tmp_path, "m", 1, onnx=colours_onnx)
    classifier, watcher = watched(ModelConfig("m", tmp_path / "m"), poll_seconds=0)

    assert classifier.repository.get("m").is_loaded
    assert classifier.repository.default_name == "m"
    watcher.close()


def test_a_new_version_is_noticed_by_itself(tmp_path: Path, colours_onnx: bytes) -> None:
    model_folder(tmp_path, "m", 1, onnx=colours_onnx)
    classifier, watcher = watched(ModelConfig("m", tmp_path / "m"))
    model_folder(tmp_path / "aside", "m", 2, onnx=colours_onnx).rename(tmp_path / "m" / "2")

    until(lambda: classifier.repository.load("m").version == 2)
    watcher.close()


def test_without_polling_nothing_is_noticed_until_it_is_configured_again(
    tmp_path: Path, colours_onnx: bytes
) -> None:
    model_folder(tmp_path, "m", 1, onnx=colours_onnx)
    config = ModelConfig("m", tmp_path / "m")
    classifier, watcher = watched(config, poll_seconds=0)
    model_folder(tmp_path, "m", 2, onnx=colours_onnx)
    assert classifier.repository.load("m").version == 1

    watcher.configure([config])

    assert classifier.repository.load("m").version == 2


def test_a_new_configuration_adds_removes_and_moves_models(
    tmp_path: Path, colours_onnx: bytes
) -> None:
    for name, version in (("a", 1), ("b", 1), ("elsewhere", 5)):
        model_folder(tmp_path, name, version, onnx=colours_onnx)
    classifier, watcher = watched(
        ModelConfig("a", tmp_path / "a"), ModelConfig("b", tmp_path / "b")
    )
    kept = classifier.repository.load("b")

    watcher.configure(
        [
            ModelConfig("b", tmp_path / "b", AllVersions(), {"stable": 1}),
            ModelConfig("c", tmp_path / "elsewhere"),
        ]
    )

    with pytest.raises(UnknownModel, match="there are: b, c"):
        classifier.repository.load("a")
    assert classifier.repository.load("b") is kept, "what stays is not loaded again"
    assert classifier.repository.served("b").labels == {"stable": 1}
    assert classifier.repository.load("c").version == 5
    watcher.configure([ModelConfig("b", tmp_path / "elsewhere")])
    assert classifier.repository.load("b").version == 5
    watcher.close()


def test_only_configured_models_are_served(tmp_path: Path, colours_onnx: bytes) -> None:
    model_folder(tmp_path, "m", 1, onnx=colours_onnx)
    classifier, watcher = watched(ModelConfig("m", tmp_path / "m"))

    assert classifier.repository.names() == ["m"]
    with pytest.raises(UnknownModel, match="no model 'digits'"):
        classifier.repository.load("digits")
    with pytest.raises(UnknownModel, match="no version 7"):
        classifier.repository.load("m", 7)
    watcher.close()


def test_a_model_whose_folder_comes_later_is_served_then(
    tmp_path: Path, colours_onnx: bytes
) -> None:
    classifier, watcher = watched(ModelConfig("m", tmp_path / "m"))
    with pytest.raises(UnknownModel):
        classifier.repository.load("m")

    model_folder(tmp_path / "aside", "m", 1, onnx=colours_onnx)
    shutil.move(tmp_path / "aside" / "m", tmp_path / "m")

    until(lambda: classifier.repository.names() == ["m"])
    until(lambda: classifier.repository.served("m").load() is not None)
    watcher.close()


@pytest.mark.parametrize(
    "engine", ["onnx", pytest.param("tensorflow", marks=pytest.mark.tensorflow)]
)
def test_the_memory_of_unloaded_versions_comes_back(tmp_path: Path, engine: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.reload_process", str(tmp_path), engine],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    memory = [int(line) for line in done.stdout.split()]

    assert len(memory) == 8
    # Were nothing given back, the last would be 200 MB above the third.
    assert memory[-1] - memory[2] < 1.5 * MODEL_BYTES
