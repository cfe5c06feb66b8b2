"""Versions appear whole, count up, and are never overwritten."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from image_classifier import Classifier, Settings
from image_classifier.protocols.tf_serving.service import ModelSpec, TensorFlowServing
from tools.export import export_module
from tools.shared.errors import ToolError
from tools.shared.version_folder import write_version


def one_file(folder: Path) -> None:
    (folder / "saved_model.pb").write_bytes(b"it")


def test_any_module_can_be_exported_and_served(tmp_path: Path) -> None:
    import tensorflow as tf

    class Shout(tf.Module):  # type: ignore[misc]
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "text")])  # type: ignore[untyped-decorator]
        def shout(self, text: Any) -> dict[str, Any]:
            return {"loud": tf.strings.upper(text)}

    module = Shout()
    folder = export_module(
        module,
        {"serving_default": module.shout},
        name="shout",
        models_dir=tmp_path,
        files={"README.txt": "Upper case.\n"},
    )
    environ = {"MODELS_DIR": str(tmp_path), "DEFAULT_MODEL": "shout"}
    serving = TensorFlowServing(Classifier(Settings.from_environ(environ)))
    texts = np.array([b"a", b"b"], object)

    assert serving.predict(ModelSpec("shout"), {"text": texts}).outputs["loud"].tolist() == [
        b"A",
        b"B",
    ]
    assert (folder / "README.txt").read_text() == "Upper case.\n"


def test_versions_count_up_from_the_highest(tmp_path: Path) -> None:
    def write(version: int | None = None) -> str:
        return write_version(one_file, name="m", models_dir=tmp_path, version=version).name

    assert write() == "1"
    assert write(0) == "0"
    assert write(7) == "7"
    assert write() == "8"
    assert sorted(path.name for path in (tmp_path / "m").iterdir()) == ["0", "1", "7", "8"]


def test_a_version_is_never_overwritten(tmp_path: Path) -> None:
    write_version(one_file, name="m", models_dir=tmp_path, version=2)

    def other(folder: Path) -> None:
        raise AssertionError("nothing may be written")

    with pytest.raises(ToolError, match=r"never overwritten.*next free one \(3\)"):
        write_version(other, name="m", models_dir=tmp_path, version=2)
    assert (tmp_path / "m" / "2" / "saved_model.pb").read_bytes() == b"it"


@pytest.mark.parametrize("version", [None, 1])
def test_who_comes_second_to_a_number_gets_the_next_unless_it_was_asked_for(
    tmp_path: Path, version: int | None
) -> None:
    """Two exports at once take the same number; one of them finds it taken at the end."""

    def overtaken(folder: Path) -> None:
        one_file(folder)
        for number in ("1", "2"):
            first = tmp_path / "m" / number
            first.mkdir()
            (first / "saved_model.pb").write_bytes(b"first")

    if version is None:
        written = write_version(overtaken, name="m", models_dir=tmp_path, version=None)
        assert written == tmp_path / "m" / "3"
        assert (written / "saved_model.pb").read_bytes() == b"it"
    else:
        with pytest.raises(ToolError, match="cannot be put in place"):
            write_version(overtaken, name="m", models_dir=tmp_path, version=version)
    names = sorted(path.name for path in (tmp_path / "m").iterdir())
    assert names == (["1", "2", "3"] if version is None else ["1", "2"])
    assert (tmp_path / "m" / "1" / "saved_model.pb").read_bytes() == b"first"


def test_what_killed_commands_left_is_removed_after_a_day(tmp_path: Path) -> None:
    long_ago = time.time() - 2 * 24 * 3600
    for prefix in (".unfinished-", ".deleted-"):
        for which in ("old", "new", "slow"):
            folder = tmp_path / "m" / f"{prefix}{which}" / "1"
            folder.mkdir(parents=True)
            (folder / "model.pb").write_bytes(b"half")
            touched = {"old": [folder / "model.pb", folder, folder.parent], "new": []}
            for path in touched.get(which, [folder, folder.parent]):
                os.utime(path, (long_ago, long_ago))

    write_version(one_file, name="m", models_dir=tmp_path, version=None)
    assert sorted(path.name for path in (tmp_path / "m").iterdir()) == [
        ".deleted-new",
        ".deleted-slow",
        ".unfinished-new",
        ".unfinished-slow",
        "1",
    ]


def test_a_server_that_watches_never_sees_half_a_version(tmp_path: Path) -> None:
    seen: list[list[str]] = []

    def slow(folder: Path) -> None:
        one_file(folder)
        seen.append([path.name for path in (tmp_path / "m").iterdir() if path.name.isdecimal()])

    write_version(slow, name="m", models_dir=tmp_path, version=None)
    assert seen == [[]]


def test_a_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    def fails(folder: Path) -> None:
        one_file(folder)
        raise ToolError("no")

    with pytest.raises(ToolError, match="no"):
        write_version(fails, name="m", models_dir=tmp_path, version=None)
    assert list(tmp_path.iterdir()) == []


def test_a_failure_takes_away_the_folders_that_it_made_and_no_others(tmp_path: Path) -> None:
    def interrupted(folder: Path) -> None:
        one_file(folder)
        raise KeyboardInterrupt

    (tmp_path / "mine" / "m").mkdir(parents=True)
    for models in (tmp_path / "made" / "models", tmp_path / "mine"):
        with pytest.raises(KeyboardInterrupt):
            write_version(interrupted, name="m", models_dir=models, version=None)
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")] == [
        "mine",
        "mine/m",
    ]


@pytest.mark.parametrize(
    ("name", "version", "words"),
    [
        ("../m", None, "'../m' cannot be the name of a model: use letters"),
        (".hidden", None, "cannot be the name of a model"),
        ("", None, "cannot be the name of a model"),
        ("m", -1, "-1 cannot be a version: use a whole number from 0"),
        ("m", 10**18, "at most 18 digits"),
    ],
)
def test_what_no_server_would_find_is_not_written(
    tmp_path: Path, name: str, version: int | None, words: str
) -> None:
    with pytest.raises(ToolError, match=words):
        write_version(one_file, name=name, models_dir=tmp_path / "models", version=version)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file")
    with pytest.raises(ToolError, match="models/m cannot be written to"):
        write_version(one_file, name="m", models_dir=tmp_path / "models", version=None)
