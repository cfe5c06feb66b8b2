"""tools.add_model takes the portal's zip files of every flavor, or refuses in words."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from image_classifier import Classifier, Settings
from image_classifier.models.model import Model
from tests.support.builders import colour_graph, colour_image
from tests.support.custom_vision_exports import (
    LABELS,
    detection_graph,
    general_graph,
    manifest,
    metadata_properties,
    onnx,
    s1_graph,
    tflite,
    write_saved_model,
)
from tools.add_model.__main__ import main
from tools.convert.graphs import read_model
from tools.convert.verification import compare, random_tensors
from tools.shared.signals import INTERRUPTED

ROOT = Path(__file__).resolve().parents[2]
REAL = (
    "azsamples-apple-banana",
    "azsamples-bears-1label",
    "azsamples-fruits",
    "ellerbach-rpi",
    "viktordudas-catdog",
)
TEXT = "\r\n".join(LABELS)  # as the portal writes them: CRLF, no newline at the end

Files = Mapping[str, Any]  # texts or bytes, by their paths


def saved_model(graph: bytes, folder: Path) -> dict[str, bytes]:
    write_saved_model(graph, folder)
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def packed(path: Path, files: Files) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def unpacked(folder: Path, files: Files) -> Path:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
    return folder


def export_of(graph: bytes, **changes: Any) -> dict[str, bytes | str]:
    """The portal's zip file of the flavor TensorFlow."""
    return {
        "model.pb": graph,
        "labels.txt": TEXT,
        "cvexport.manifest": "\ufeff" + manifest(graph, **changes),
        "metadata_properties.json": metadata_properties(),
        "LICENSE": "May be used.",
        "python/predict.py": "raise SystemExit",
    }


def add(export: Path, *options: str) -> tuple[int, Path]:
    models = export.parent / "models"
    status = main([str(export), "--name", "m", "--models-dir", str(models), *options])
    return status, models / "m" / "1"


@pytest.fixture
def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Adds an export that cannot be added, checks that nothing is left, gives the sentence."""

    def refused(files: Files, *options: str) -> str:
        export = packed(tmp_path / "e.zip", files)
        before = set(tmp_path.rglob("*"))
        status, _ = add(export, *options)
        sentence = capsys.readouterr().err
        assert status == 1 and sentence.startswith("refused: ") and sentence.count("\n") == 1
        assert set(tmp_path.rglob("*")) == before
        return sentence

    return refused


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


@pytest.mark.parametrize("graph", [general_graph, s1_graph])
def test_a_saved_model_gets_a_model_json_and_answers_like_the_frozen_graph(
    graph: Callable[[], bytes], tmp_path: Path
) -> None:
    files = {**saved_model(graph(), tmp_path / "saved"), "labels.txt": TEXT}
    _, folder = add(packed(tmp_path / "e.zip", files))
    frozen = tmp_path / "frozen"
    unpacked(frozen, {"model.pb": graph(), "labels.txt": TEXT})

    wanted, found = Model("f", 1, frozen).load().engine, Model("m", 1, folder).load().engine
    assert json.loads((folder / "model.json").read_text()) == wanted.input_spec.as_dict()
    agreement = compare(wanted, found, random_tensors(6, wanted.input_spec))
    assert agreement.largest_difference < 1e-6


@pytest.mark.parametrize("output", ["model_outputs", "output_0"])
def test_a_saved_model_of_functions_is_told_by_its_signature(output: str, tmp_path: Path) -> None:
    import tensorflow as tf

    graph = tf.compat.v1.GraphDef.FromString(general_graph(data_bn=False))
    wrapped = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(graph, name=""), [])
    scores = wrapped.prune("Placeholder:0", {output: "loss:0"})
    spec = tf.TensorSpec([None, 224, 224, 3], tf.float32, "Placeholder")
    module = tf.Module()
    module.serve = tf.function(lambda image: scores(image), autograph=False)
    concrete = module.serve.get_concrete_function(spec)
    tf.saved_model.save(module, str(tmp_path / "e"), signatures=concrete)
    (tmp_path / "e" / "labels.txt").write_text(TEXT)
    status, folder = add(tmp_path / "e", "--onnx")

    assert status == 0
    said = json.loads((folder / "model.json").read_text())
    assert (said["input"], said["output"]) == ("Placeholder:0", f"{output}:0")
    assert said["mean"] == [104.0, 117.0, 123.0]
    found = Model("m", 1, folder, engine="tensorflow").load().engine
    (tmp_path / "frozen").mkdir()
    unpacked(tmp_path / "frozen", {"model.pb": graph.SerializeToString(), "labels.txt": TEXT})
    wanted = Model("f", 1, tmp_path / "frozen").load().engine
    assert compare(wanted, found, random_tensors(6, wanted.input_spec)).largest_difference < 1e-6


def test_another_saved_model_wants_a_model_json(
    tmp_path: Path, refused: Callable[..., str]
) -> None:
    import tensorflow as tf

    module = tf.Module()
    spec = tf.TensorSpec([None, 8, 8, 3], tf.float32, "pixels")
    module.serve = tf.function(lambda pixels: tf.reduce_mean(pixels, [1, 2]), [spec])
    tf.saved_model.save(module, str(tmp_path / "s"), signatures=module.serve)
    files = {"saved_model.pb": (tmp_path / "s" / "saved_model.pb").read_bytes()}

    sentence = refused({**files, "labels.txt": TEXT})
    assert "is a SavedModel but not a Custom Vision classifier (its inputs: pixels)" in sentence


def test_a_saved_model_with_variables_is_copied_whole(tmp_path: Path) -> None:
    import tensorflow as tf

    v1, graph = tf.compat.v1, tf.Graph()
    with graph.as_default(), v1.Session() as session:
        pixels = v1.placeholder(tf.float32, [None, 224, 224, 3], name="Placeholder")
        weights = v1.get_variable("weights", initializer=np.eye(3, dtype=np.float32) / 16)
        means = tf.reduce_mean(pixels, axis=[1, 2])
        scores = tf.nn.softmax(tf.matmul(means, weights), name="loss")
        scores = tf.identity(scores, name="model_outputs")
        session.run(v1.global_variables_initializer())
        v1.saved_model.simple_save(session, str(tmp_path / "s"), {"x": pixels}, {"y": scores})
    files = {
        f"export/{path.relative_to(tmp_path / 's').as_posix()}": path.read_bytes()
        for path in (tmp_path / "s").rglob("*")
        if path.is_file()
    }
    export = packed(tmp_path / "e.zip", {**files, "export/labels.txt": TEXT})
    status, folder = add(export)

    assert status == 0
    assert {path.name for path in (folder / "variables").iterdir()} == {
        "variables.index",
        "variables.data-00000-of-00001",
    }
    environ = {"MODELS_DIR": str(folder.parents[1]), "DEFAULT_MODEL": "m"}
    answer = Classifier(Settings.from_environ(environ)).classify_bytes(colour_image("red"))
    assert answer.predicted_tag_name == "Red"


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


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["e.zip", "--name", "../m"], "'../m' cannot be the name of a model"),
        (["e.zip", "--name", "m", "--version", "-1"], "-1 cannot be a version"),
        (["missing.zip", "--name", "m"], "missing.zip is not there"),
        (["model.pb", "--name", "m"], "model.pb is the model alone: give the folder"),
        (["e.zip", "--name", "m", "--sample", "no.png"], "no.png cannot be read"),
        (
            ["e.zip", "--name", "m", "--sample", "text.png"],
            "text.png: This is damaged data or a file of another kind, not an",
        ),
        (["e.zip", "--name", "m", "--models-dir", "text.png"], "cannot be written to"),
    ],
)
def test_what_is_asked_wrongly_is_refused(
    options: list[str],
    words: str,
    colours_pb: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    packed(tmp_path / "e.zip", export_of(colours_pb))
    unpacked(tmp_path, {"model.pb": colours_pb, "text.png": "no image"})
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.rglob("*"))

    assert main(options) == 1
    assert words in capsys.readouterr().err
    assert set(tmp_path.rglob("*")) == before


def test_a_version_is_never_overwritten(
    colours_pb: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export = packed(tmp_path / "e.zip", export_of(colours_pb))

    assert add(export, "--version", "3")[0] == 0
    assert add(export, "--version", "3")[0] == 1
    assert "never overwritten: leave the version out" in capsys.readouterr().err
    assert add(export)[0] == 0
    assert sorted(path.name for path in (tmp_path / "models" / "m").iterdir()) == ["3", "4"]


def test_what_an_export_says_cannot_reach_the_terminal(
    colours_pb: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = manifest(colours_pb, ExportedDate="\x1b]0;evil\x07\ud800")
    files = {"model.pb": colours_pb, "labels.txt": "\x1b[31mred\nb\nc", "cvexport.manifest": said}

    assert add(packed(tmp_path / "e.zip", files))[0] == 0
    out = capsys.readouterr().out
    assert out.replace("\n", "").isprintable()
    assert r"\x1b[31mred" in out and r"\x1b]0;evil\x07\ud800" in out


def test_labels_in_any_script_are_shown_on_any_terminal(colours_pb: bytes, tmp_path: Path) -> None:
    files = {"model.pb": colours_pb, "labels.txt": "Größe\n猫\nb"}
    packed(tmp_path / "e.zip", files)
    done = subprocess.run(
        [sys.executable, "-m", "tools.add_model", str(tmp_path / "e.zip"), "--name", "m"]
        + ["--models-dir", str(tmp_path / "models")],
        cwd=ROOT,
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )

    assert (done.returncode, done.stderr) == (0, b"")
    assert rb"labels     3: Gr\xf6\xdfe, \u732b, b" in done.stdout


@pytest.mark.skipif(os.name == "nt", reason="sends a signal")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_stopped_half_way_it_leaves_nothing(
    sent: signal.Signals, colours_pb: bytes, tmp_path: Path
) -> None:
    export = packed(tmp_path / "e.zip", export_of(colours_pb))
    command = [sys.executable, "-m", "tools.add_model", str(export), "--name", "m"]
    running = subprocess.Popen(
        [*command, "--models-dir", str(tmp_path / "models")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert running.stdout is not None
    read = b""
    while b"load it" not in read:  # which takes seconds: TensorFlow is imported
        piece = os.read(running.stdout.fileno(), 1000)
        assert piece, "it ended before"
        read += piece
    assert list((tmp_path / "models" / "m").iterdir())
    running.send_signal(sent)
    _, err = running.communicate(timeout=60)

    assert running.returncode == INTERRUPTED
    assert err.decode() == "Stopped. Nothing was added.\n"
    assert [path.name for path in tmp_path.iterdir()] == ["e.zip"]
