"""The model and its files are found in any folder of an export, without following links."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from image_classifier.models.model import Model
from tests.support.builders import colour_graph
from tests.support.custom_vision_exports import (
    LABELS,
    general_graph,
    manifest,
    onnx,
)
from tests.tools.add_model.exports import TEXT, add, export_of, packed, unpacked


@pytest.mark.parametrize("around", ["", "export/", "export/app/"])
def test_the_model_is_found_inside_folders(around: str, colours_pb: bytes, tmp_path: Path) -> None:
    files = {f"{around}{name}": data for name, data in export_of(colours_pb).items()}
    rest = {"__MACOSX/export/._model.pb": b"x", "export/.DS_Store": b"x"}

    status, folder = add(packed(tmp_path / "e.zip", {**files, **rest}))
    assert status == 0
    assert len(list(folder.iterdir())) == 5


def test_labels_at_the_top_belong_to_a_model_further_in(colours_pb: bytes, tmp_path: Path) -> None:
    status, folder = add(
        packed(tmp_path / "e.zip", {"e/app/model.pb": colours_pb, "e/labels.txt": TEXT})
    )

    assert status == 0
    assert Model("m", 1, folder).load().labels == LABELS


def test_files_get_their_usual_names_whatever_the_manifest_calls_them(
    colours_pb: bytes, tmp_path: Path
) -> None:
    said = manifest(colours_pb, model_file="b1234.PB", LabelFileName="tags.csv")
    files = {"b1234.PB": colours_pb, "tags.csv": TEXT, "cvexport.manifest": said}
    status, folder = add(packed(tmp_path / "e.zip", {**files, "labels.txt": "other"}))

    assert status == 0
    assert {path.name for path in folder.iterdir()} == {
        "model.pb",
        "labels.txt",
        "cvexport.manifest",
    }
    assert Model("m", 1, folder).load().labels == LABELS


def test_of_several_kinds_the_manifests_is_taken_or_the_engines_first(
    colours_pb: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both = {"model.pb": colours_pb, "model.onnx": onnx(general_graph()), "labels.txt": TEXT}
    said = {"cvexport.manifest": manifest(colours_pb)}

    assert add(packed(tmp_path / "e.zip", both | said))[0] == 0
    assert "note: took model.pb, passed over model.onnx" in capsys.readouterr().out
    assert add(packed(tmp_path / "e.zip", both))[0] == 0
    assert "note: took model.onnx, passed over model.pb" in capsys.readouterr().out


def test_metadata_that_cannot_be_read_is_left_out_with_a_word(
    colours_pb: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {**export_of(colours_pb), "metadata_properties.json": "{"}
    status, folder = add(packed(tmp_path / "e.zip", files))

    assert status == 0 and not (folder / "metadata_properties.json").exists()
    assert "note: metadata_properties.json is left out: it cannot" in capsys.readouterr().out


def test_another_graph_is_added_with_its_model_json(tmp_path: Path) -> None:
    input_spec = {"input": "x", "output": "y", "size": 32, "channels": "BGR"}
    files = {
        "model.pb": colour_graph(input_name="x", output_name="y"),
        "labels.txt": TEXT,
        "model.json": json.dumps(input_spec),
    }
    status, folder = add(unpacked(tmp_path / "mine", files))

    assert status == 0
    assert Model("m", 1, folder).load().engine.input_spec.input_name == "x:0"


def test_a_folder_is_added_without_following_links(
    colours_pb: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outside = unpacked(tmp_path / "outside", {"labels.txt": TEXT, "model.pb": colours_pb})
    folder = unpacked(tmp_path / "e", {"model.pb": colours_pb, "labels.txt": TEXT})
    (folder / "round").symlink_to(folder)
    (folder / "others").symlink_to(outside)
    assert add(folder)[0] == 0

    (folder / "labels.txt").unlink()
    (folder / "labels.txt").symlink_to(outside / "labels.txt")
    assert add(folder)[0] == 1
    assert "e: labels.txt is a link: put the file itself there" in capsys.readouterr().err
    (folder / "labels.txt").unlink()
    os.mkfifo(folder / "labels.txt")
    assert add(folder)[0] == 1
    assert "e: labels.txt is no ordinary file" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "models" / "m").iterdir()] == ["1"]


def test_a_folder_with_too_much_in_it_is_not_searched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "e").mkdir()
    for number in range(10_001):
        (tmp_path / "e" / str(number)).touch()

    assert add(tmp_path / "e")[0] == 1
    assert "e has more than 10,000 files: give the folder of the export" in capsys.readouterr().err
