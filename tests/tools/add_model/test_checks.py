"""Exports that cannot be served are refused in one sentence, and leave nothing behind."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.builders import colour_graph
from tests.support.custom_vision_exports import (
    detection_graph,
    manifest,
    metadata_properties,
    onnx,
    s1_graph,
    tflite,
)
from tests.tools.add_model.exports import TEXT, Files, add, export_of, packed, saved_model


@pytest.mark.parametrize("kind", ["general", "s1"])
def test_object_detection_is_refused_by_the_graph_alone(
    kind: str, tmp_path: Path, refused: Callable[..., str]
) -> None:
    graph = detection_graph("s1" if kind == "s1" else "general")

    for files in ({"model.pb": graph}, saved_model(graph, tmp_path / "saved")):
        assert "object detection export" in refused({**files, "labels.txt": TEXT})
    if kind == "general":
        assert "object detection" in refused({"model.onnx": onnx(graph), "labels.txt": TEXT})
    assert "object detection" in refused({"model.tflite": tflite(graph), "labels.txt": TEXT})


def test_object_detection_is_refused_by_what_the_export_says(
    colours_pb: bytes, refused: Callable[..., str]
) -> None:
    said = export_of(colours_pb, domain_type="ObjectDetection")
    assert "object detection export (DomainType ObjectDetection)" in refused(said)

    for method in ("Yolo", "SSD", "ObjectDetection"):
        properties = metadata_properties(Postprocess_Method=method)
        files = {**export_of(colours_pb), "metadata_properties.json": properties}
        assert f"(Postprocess.Method {method})" in refused(files)


def test_a_changed_model_is_refused_by_its_checksum(
    colours_pb: bytes, refused: Callable[..., str]
) -> None:
    changed = colour_graph(swap=True)
    sentence = refused({**export_of(colours_pb), "model.pb": changed})

    assert "model.pb is damaged or was changed: its SHA-1 is " in sentence
    for graph in (colours_pb, changed):
        assert hashlib.sha1(graph).hexdigest() in sentence


def test_a_checksum_in_capitals_is_as_good(colours_pb: bytes, tmp_path: Path) -> None:
    said = manifest(colours_pb).replace(
        digest := hashlib.sha1(colours_pb).hexdigest(), digest.upper()
    )
    files = {**export_of(colours_pb), "cvexport.manifest": said}

    assert add(packed(tmp_path / "e.zip", files))[0] == 0


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"model.json": "{}", "weights.bin": "", "labels.txt": "a"}, "an export for TensorFlow.js"),
        ({"model.mlmodel": "", "labels.txt": "a"}, "an export for CoreML"),
        ({"m.mlpackage/Manifest.json": "{}"}, "an export for CoreML"),
        ({"model.xml": "", "model.bin": "", "labels.txt": "a"}, "an export for OpenVINO"),
        ({"model.dlc": "", "labels.txt": "a"}, "an export for the Vision AI Dev Kit"),
        ({"model.pth": "", "labels.txt": "a"}, "an export for PyTorch"),
        ({"model.h5": "", "labels.txt": "a"}, "python -m tools.export"),
        ({"m.zip": "PK", "labels.txt": "a"}, "another zip file in it: unpack that"),
        ({"frozen.pb": "", "labels.txt": "a"}, "If frozen.pb is the model, call it one of these"),
        ({"readme.txt": ""}, "it holds no model.onnx, model.pb, "),
        ({"__MACOSX/model.pb": "", "._model.pb": ""}, "there are no files in it"),
    ],
)
def test_other_kinds_of_exports_are_called_by_their_names(
    files: Files, words: str, refused: Callable[..., str]
) -> None:
    assert words in refused(files)


@pytest.mark.parametrize(
    ("platform", "flavor", "words"),
    [
        ("TensorFlow", "TensorFlowJs", "an export for TensorFlow.js"),
        ("CoreML", None, "an export for CoreML"),
        ("OpenVino", None, "an export for OpenVINO"),
        ("VAIDK", None, "an export for the Vision AI Dev Kit"),
    ],
)
def test_other_kinds_of_exports_are_known_by_their_manifest(
    platform: str, flavor: str | None, words: str, refused: Callable[..., str]
) -> None:
    files = {
        "cvexport.manifest": manifest(Platform=platform, flavor=flavor, model_file="model.zip")
    }

    assert words in refused(files)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"labels.txt": "a\nb"}, "model.pb gives 3 scores but labels.txt beside it has 2 labels"),
        ({"labels.txt": ""}, "labels.txt is empty"),
        ({"labels.txt": b"\xff"}, "labels.txt cannot be read as UTF-8"),
        ({"labels.txt": random.Random(0).randbytes(2**20).hex()}, "labels.txt has 2,097,152 bytes"),
        ({"model.pb": b"PK\x03\x04"}, "model.pb is not a frozen TensorFlow graph: it is a ZIP"),
        ({"model.pb": b""}, "it is empty"),
        ({"cvexport.manifest": "{"}, "cvexport.manifest: it cannot be read as JSON"),
        ({"cvexport.manifest": "[]"}, "cvexport.manifest: it must be a JSON object"),
        ({"cvexport.manifest": b"\xff"}, "cvexport.manifest is no UTF-8 text"),
        ({"cvexport.manifest": " " * 70_000}, "cvexport.manifest has 70,000 bytes; at most"),
        ({"cvexport.manifest": "[" * 60_000}, "cvexport.manifest: it cannot be read as JSON"),
        (
            {"cvexport.manifest": manifest(model_file="other.pb")},
            "names 'other.pb', which is not there",
        ),
        (
            {"cvexport.manifest": manifest(model_file="../../model.pb")},
            "names '../../model.pb', which is not there",
        ),
        ({"cvexport.manifest": manifest(model_file="labels.txt")}, "the model is 'labels.txt'"),
        ({"model.json": "{}"}, "model.json: the key 'size' is missing"),
        (
            {"a/model.pb": b"", "b/model.onnx": b""},
            "in several folders: a/model.pb, b/model.onnx, ",
        ),
        ({"a/cvexport.manifest": "{}", "b/cvexport.manifest": "{}"}, "there are several exports"),
    ],
)
def test_what_is_wrong_in_an_export_is_said(
    files: Files, words: str, colours_pb: bytes, refused: Callable[..., str]
) -> None:
    sentence = refused({"model.pb": colours_pb, "labels.txt": TEXT, **files})

    assert words in sentence and sentence.startswith("refused: e.zip: ")
    assert ".unfinished" not in sentence


def test_missing_labels_are_asked_for(colours_pb: bytes, refused: Callable[..., str]) -> None:
    assert "there is no labels.txt: unpack the export" in refused({"model.pb": colours_pb})
    assert "there is no labels.txt" in refused({"model.onnx": onnx(s1_graph(), s1=True)})


def test_a_graph_that_would_touch_files_is_not_run(
    tmp_path: Path, refused: Callable[..., str]
) -> None:
    import tensorflow as tf

    graph = tf.Graph()
    with graph.as_default():
        pixels = tf.compat.v1.placeholder(tf.float32, [None, 32, 32, 3], name="Placeholder")
        written = tf.raw_ops.WriteFile(filename=str(tmp_path / "evil"), contents="x")
        with tf.control_dependencies([written]):
            tf.nn.softmax(tf.reduce_mean(pixels, axis=[1, 2]), name="loss")
    definition = graph.as_graph_def().SerializeToString()

    for files in ({"model.pb": definition}, saved_model(definition, tmp_path / "saved")):
        sentence = refused({**files, "labels.txt": TEXT})
        assert "has the operation WriteFile, which reads or writes files" in sentence
    assert not (tmp_path / "evil").exists()
