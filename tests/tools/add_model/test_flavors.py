"""Exports of every flavor are added and answer, and are converted on request."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from image_classifier import Classifier, Settings
from image_classifier.models.model import Model
from tests.support.builders import colour_image
from tests.support.custom_vision_exports import (
    LABELS,
    general_graph,
    manifest,
    metadata_properties,
    onnx,
    s1_graph,
    tflite,
)
from tests.tools.add_model.exports import TEXT, Files, add, export_of, packed, saved_model
from tools.convert.graphs import read_model

REAL = (
    "azsamples-apple-banana",
    "azsamples-bears-1label",
    "azsamples-fruits",
    "ellerbach-rpi",
    "viktordudas-catdog",
)


@pytest.mark.tensorflow
@pytest.mark.parametrize("name", REAL)
def test_a_real_export_is_added_and_answers_as_the_exporter_does(
    name: str, fixtures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    real = fixtures / "custom_vision" / name
    graph = (real / "model.pb").read_bytes()
    files = {**export_of(graph), "labels.txt": (real / "labels.txt").read_bytes()}
    sample = fixtures / "images" / "catdog" / "Test_1.jpg"

    status, folder = add(packed(tmp_path / "e.zip", files), "--sample", str(sample))
    assert status == 0, capsys.readouterr().err
    assert {path.name for path in folder.iterdir()} == {
        "model.pb",
        "labels.txt",
        "cvexport.manifest",
        "metadata_properties.json",
        "LICENSE",
    }
    out = capsys.readouterr().out
    assert f"SHA-1 {hashlib.sha1(graph).hexdigest()}, as the manifest says" in out
    assert "iteration  1206e4db-9a1f-4da0-8f06-06ed2ea07240" in out
    assert "note: the metadata says 224 x 224 pixels, the graph 227 x 227" in out
    assert "/classify/iterations/m/image" in out and "DEFAULT_MODEL=m" in out
    environ = {"MODELS_DIR": str(folder.parents[1]), "DEFAULT_MODEL": "m"}
    answer = Classifier(Settings.from_environ(environ)).classify_bytes(sample.read_bytes())
    for tag in sorted(answer.tags, key=lambda tag: -tag.probability)[:1]:
        assert f"{tag.tag_name}" in out and f"{tag.probability:.2%}" in out


@pytest.fixture(scope="module")
def flavors(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Files, str, str]]:
    """By name: the files, the engine, and how the pixels go in."""
    general, s1 = general_graph(), s1_graph()
    folder = tmp_path_factory.mktemp("saved")
    saved = {
        name: saved_model(graph, folder / name)
        for name, graph in (("general", general), ("s1", s1))
    }
    own: dict[str, str] = {"labels.txt": TEXT, "metadata_properties.json": metadata_properties()}
    found: dict[str, tuple[Files, str, str]] = {}

    def put(name: str, file: str, data: bytes, engine: str, pixels: str, **changes: Any) -> None:
        said = manifest(data, model_file=file, **changes)
        found[name] = ({file: data, "cvexport.manifest": said, **own}, engine, pixels)

    for kind, graph, pixels in (
        ("general", general, "224 x 224 pixels, BGR"),
        ("s1", s1, "300 x 300 pixels, RGB"),
    ):
        put(f"{kind} as TensorFlow", "model.pb", graph, "tensorflow", pixels)
        lite = tflite(graph)
        put(f"{kind} as Lite", "model.tflite", lite, "tflite", pixels, flavor="TensorFlowLite")
        exported = onnx(graph, s1=kind == "s1")
        put(f"{kind} as ONNX", "model.onnx", exported, "onnx", pixels, flavor="ONNX12")
        said = manifest(flavor="TensorFlowSavedModel", model_file="saved_model.pb")
        files: Files = {**saved[kind], "cvexport.manifest": said, **own}
        found[f"{kind} as SavedModel"] = (files, "tensorflow", pixels)
        for file, data, engine in (
            ("model.pb", graph, "tensorflow"),
            ("model.tflite", lite, "tflite"),
        ):
            said = manifest(data, model_file=file, Platform="DockerFile", flavor="Linux")
            inside = {file: data, "cvexport.manifest": said, **own, "app.py": "", "predict.py": ""}
            around = {"Dockerfile": "FROM scratch", "azureml/score.py": "", "README.txt": ""}
            found[f"{kind} as Docker with {file}"] = (
                around | {f"app/{name}": data for name, data in inside.items()},
                engine,
                pixels,
            )
    return found


@pytest.mark.parametrize("kind", ["general", "s1"])
@pytest.mark.parametrize(
    "flavor",
    [
        "TensorFlow",
        "Lite",
        "ONNX",
        "SavedModel",
        "Docker with model.pb",
        "Docker with model.tflite",
    ],
)
def test_every_flavor_is_added_and_answers(
    kind: str,
    flavor: str,
    flavors: dict[str, tuple[Files, str, str]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    files, engine, pixels = flavors[f"{kind} as {flavor}"]
    (tmp_path / "green.png").write_bytes(colour_image("green"))
    export = packed(tmp_path / "e.zip", files)

    status, folder = add(export, "--sample", str(tmp_path / "green.png"))
    assert status == 0, capsys.readouterr().err
    out = capsys.readouterr().out
    assert f"runs with  {engine}" in out and pixels in out
    assert out.partition("classify the sample")[2].split("\n")[1].split()[0] == "Green"
    loaded = Model("m", 1, folder).load()
    assert loaded.labels == LABELS
    assert str(loaded.iteration_id) == "1206e4db-9a1f-4da0-8f06-06ed2ea07240"
    checked = "no checksum in the export" if flavor == "SavedModel" else "as the manifest says"
    assert checked in out


@pytest.mark.parametrize("flavor", ["TensorFlow", "SavedModel"])
def test_a_model_is_converted_to_onnx_if_that_is_asked_for(
    flavor: str,
    flavors: dict[str, tuple[Files, str, str]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    export = packed(tmp_path / "e.zip", flavors[f"general as {flavor}"][0])
    status, folder = add(export, "--onnx")

    out = capsys.readouterr().out
    assert status == 0 and "[7/7] keep it" in out and "runs with  onnx" in out
    assert (folder / "model.onnx").is_file()
    frozen = read_model(folder)
    assert frozen.source.parent == folder


def test_an_onnx_model_is_not_converted_again(
    flavors: dict[str, tuple[Files, str, str]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    status, _ = add(packed(tmp_path / "e.zip", flavors["s1 as ONNX"][0]), "--onnx")

    assert status == 0
    assert "it is ONNX already: nothing to convert" in capsys.readouterr().out


def test_a_lite_model_cannot_be_converted(
    flavors: dict[str, tuple[Files, str, str]], refused: Callable[..., str]
) -> None:
    sentence = refused(flavors["s1 as Lite"][0], "--onnx")

    assert "model.tflite cannot be converted to ONNX: leave --onnx out" in sentence


def test_the_labels_inside_an_onnx_file_are_used_if_there_is_no_file(tmp_path: Path) -> None:
    """The exports of 2019 had LabelFileName null."""
    model = onnx(general_graph())
    said = manifest(model, model_file="model.onnx", flavor="ONNX12", LabelFileName=None)
    status, folder = add(
        packed(tmp_path / "e.zip", {"model.onnx": model, "cvexport.manifest": said})
    )

    assert status == 0
    assert (folder / "labels.txt").read_text() == "Blue\nGreen\nRed\n"
