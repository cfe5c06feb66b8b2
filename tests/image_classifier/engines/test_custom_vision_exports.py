"""Exports of 224 pixels and of [S1]: every engine gives the right answer, whatever the image.

Real ones could not be had; tests/support/custom_vision_exports.py builds their like.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from PIL import Image

from image_classifier import Classifier, Settings
from image_classifier.errors import ModelError
from image_classifier.model_files.input_spec import InputSpec
from image_classifier.models.model import Model
from tests.support import custom_vision_exports as exports
from tests.support.builders import colour_image, model_folder, noise
from tests.support.custom_vision_exports import LABELS, PLACES, Sees

Export = Literal["general", "old", "s1"]

EXPORTS: tuple[Export, ...] = ("general", "old", "s1")
ENGINES = ("tensorflow", "saved_model", "onnx", "tflite")
GENERAL = InputSpec(
    input_name="Placeholder:0", output_name="model_outputs:0", height=224, width=224
)
S1 = InputSpec(
    input_name="data:0",
    output_name="model_output:0",
    height=300,
    width=300,
    channels="RGB",
    resize="crop",
)
CONTRACTS = {"general": GENERAL, "old": replace(GENERAL, height=227, width=227), "s1": S1}

Box = tuple[float, float, float, float]
ROTATED = 6  # the EXIF orientation of a phone held upright


def graph(export: Export, sees: Sees = "colour", *, softmax: bool = True) -> bytes:
    if export == "s1":
        return exports.s1_graph(softmax=softmax, sees=sees)
    return exports.general_graph(227 if export == "old" else 224, softmax=softmax, sees=sees)


def write(
    app: Path,
    engine: str,
    definition: bytes,
    input_spec: InputSpec,
    *,
    labels: tuple[str, ...] = LABELS,
) -> Path:
    """Writes a model as an engine's kind of file; only a SavedModel has to be explained."""
    sidecar = input_spec.as_dict() if engine == "saved_model" else None
    folder = model_folder(app / "models", "digits", labels="\n".join(labels), input_spec=sidecar)
    if engine == "tensorflow":
        (folder / "model.pb").write_bytes(definition)
    elif engine == "saved_model":
        exports.write_saved_model(definition, folder)
    elif engine == "onnx":
        is_s1 = input_spec.input_name != "Placeholder:0"
        data = exports.onnx(definition, s1=is_s1, labels=labels)
        (folder / "model.onnx").write_bytes(data)
    else:
        (folder / "model.tflite").write_bytes(exports.tflite(definition))
    return folder


def answers(app: Path, images: Mapping[str, bytes]) -> dict[str, str | None]:
    classifier = Classifier(Settings.from_environ({}), app_root=app)
    return {
        name: classifier.classify_bytes(data).predicted_tag_name for name, data in images.items()
    }


def spot(size: tuple[int, int], box: Box, *, after: Callable[[Image.Image], Image.Image]) -> bytes:
    """A black image with a white spot.

    Args:
        size: width and height in pixels.
        box: left, top, right, bottom of the spot, in parts of the centre square.
        after: what is done with the image last.
    """
    side = min(size)
    origin = ((size[0] - side) / 2, (size[1] - side) / 2) * 2
    left, top, right, bottom = (
        round(start + part * side) for start, part in zip(origin, box, strict=True)
    )
    image = Image.new("RGB", size, "black")
    image.paste("white", (left, top, right, bottom))
    stream = io.BytesIO()
    changed = after(image)
    exif = Image.Exif()
    if changed.info.get("rotated"):
        exif[0x0112] = ROTATED
    changed.save(stream, "PNG", exif=exif)
    return stream.getvalue()


def as_it_is(image: Image.Image) -> Image.Image:
    return image


def as_mode(mode: str) -> Callable[[Image.Image], Image.Image]:
    return lambda image: image.convert(mode)


def rotated(image: Image.Image) -> Image.Image:
    """Lies on its side, with an EXIF tag that says so."""
    image = image.transpose(Image.Transpose.ROTATE_90)
    image.info["rotated"] = True
    return image


def see_through(image: Image.Image) -> Image.Image:
    image.putalpha(0)
    return image


def rotated_grey(image: Image.Image) -> Image.Image:
    return rotated(image.convert("L"))


# Where it is in the image is another cell than where it is in the centre square.
WEST, NORTH = (0.10, 0.40, 0.28, 0.60), (0.40, 0.10, 0.60, 0.28)
OUTSIDE = (-0.90, 0.35, -0.10, 0.65)
# Within the sixteenth that the exporter's way, by 256 pixels, cuts off; [S1] keeps it.
BORDER = (0.0, 0.33, 0.055, 0.67)

PLACED: dict[str, tuple[bytes, str]] = {
    "wide": (spot((900, 300), WEST, after=as_it_is), "W"),
    "tall": (spot((200, 620), NORTH, after=as_it_is), "N"),
    "large": (spot((2000, 1001), WEST, after=as_it_is), "W"),
    "small": (spot((60, 41), NORTH, after=as_it_is), "N"),
    "outside": (spot((900, 300), OUTSIDE, after=as_it_is), "Dark"),
    "rotated": (spot((640, 480), NORTH, after=rotated), "N"),
    "grey": (spot((500, 400), WEST, after=as_mode("L")), "W"),
    "grey and rotated": (spot((500, 400), NORTH, after=rotated_grey), "N"),
    "palette": (spot((400, 500), NORTH, after=as_mode("P")), "N"),
    "see-through": (spot((500, 400), WEST, after=see_through), "W"),
}
# With the mean subtracted once each is named aright; twice, or of the other channels, is not.
COLOURED: dict[str, tuple[bytes, str]] = {
    "red": (colour_image("red", (600, 200)), "Red"),
    "green": (colour_image((0, 128, 0), (150, 500)), "Green"),
    "blue": (colour_image("blue", (1, 1)), "Blue"),
    "faint red": (colour_image((140, 125, 112), (300, 200), kind="JPEG", quality=95), "Red"),
    "faint blue": (colour_image((118, 117, 140), (200, 300), mode="RGBA"), "Blue"),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("export", EXPORTS)
def test_every_engine_names_the_colour(tmp_path: Path, export: Export, engine: str) -> None:
    write(tmp_path, engine, graph(export), CONTRACTS[export])

    found = answers(tmp_path, {name: data for name, (data, _) in COLOURED.items()})
    assert found == {name: colour for name, (_, colour) in COLOURED.items()}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("export", EXPORTS)
def test_every_engine_sees_the_centre_square_of_an_image_of_any_shape(
    tmp_path: Path, export: Export, engine: str
) -> None:
    write(tmp_path, engine, graph(export, "place"), CONTRACTS[export], labels=PLACES)
    border = spot((800, 500), BORDER, after=as_it_is)
    cases = {**PLACED, "border": (border, "W" if export == "s1" else "Dark")}

    found = answers(tmp_path, {name: data for name, (data, _) in cases.items()})
    assert found == {name: place for name, (_, place) in cases.items()}


@pytest.mark.parametrize("engine", ENGINES)
def test_a_multilabel_export_names_every_colour(tmp_path: Path, engine: str) -> None:
    folder = write(tmp_path, engine, graph("general", softmax=False), GENERAL)
    classifier = Classifier(Settings.from_environ({}), app_root=tmp_path)

    assert Model("m", 1, folder).load().labels == LABELS
    blue, green, red = classifier.classify_bytes(colour_image("magenta", (90, 60))).scores
    assert blue > 0.99
    assert red > 0.99
    assert green < 0.01


@pytest.mark.parametrize("export", EXPORTS)
def test_all_engines_give_the_same_scores(tmp_path: Path, export: Export) -> None:
    stream = io.BytesIO()
    noise((320, 240)).resize((640, 480)).point(lambda value: value // 8 + 100).save(stream, "PNG")
    scores = []
    for engine in ENGINES:
        write(tmp_path / engine, engine, graph(export), CONTRACTS[export])
        classifier = Classifier(Settings.from_environ({}), app_root=tmp_path / engine)
        scores.append(classifier.classify_bytes(stream.getvalue()).scores)

    assert 0.1 < min(scores[0]) < max(scores[0]) < 0.9  # not so sure that nothing matters
    assert np.abs(np.subtract(scores, scores[0])).max() < 1e-5


@pytest.mark.parametrize(
    ("sees", "wrong", "caught"),
    [
        ("colour", {"channels": "RGB"}, {"red", "blue", "faint red", "faint blue"}),
        ("colour", {"mean": (104.0, 117.0, 123.0)}, {"faint red"}),
        ("place", {"mean": (104.0, 117.0, 123.0)}, {"wide", "tall", "rotated", "grey"}),
        ("place", {"resize": "stretch"}, {"wide", "tall", "large", "outside"}),
        ("place", {"resize": "crop"}, {"border"}),
    ],
)
def test_a_mistake_in_the_preprocessing_would_be_seen(
    tmp_path: Path, sees: Sees, wrong: dict[str, Any], caught: set[str]
) -> None:
    border = spot((800, 500), BORDER, after=as_it_is)
    cases = COLOURED if sees == "colour" else {**PLACED, "border": (border, "Dark")}
    labels = LABELS if sees == "colour" else PLACES
    mistaken = replace(GENERAL, **wrong)
    write(tmp_path, "saved_model", graph("general", sees), mistaken, labels=labels)

    found = answers(tmp_path, {name: data for name, (data, _) in cases.items()})
    assert caught <= {name for name, (_, right) in cases.items() if found[name] != right}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", ["general", "s1"])
def test_object_detection_is_refused_in_words(
    tmp_path: Path, kind: Literal["general", "s1"], engine: str
) -> None:
    input_spec = GENERAL if kind == "general" else replace(GENERAL, input_name="image_tensor:0")
    outputs = {"general": "model_outputs:0", "s1": "detected_boxes:0"}
    side = 416 if kind == "general" else 320
    input_spec = replace(input_spec, output_name=outputs[kind], height=side, width=side)
    folder = write(tmp_path, engine, exports.detection_graph(kind), input_spec)

    with pytest.raises(ModelError, match="object detection") as error:
        Model("m", 1, folder).load()
    assert str(folder) in error.value.message


def test_the_graphs_have_the_real_nodes_in_the_real_order() -> None:
    import tensorflow as tf

    nodes = tf.compat.v1.GraphDef.FromString(graph("general")).node
    names = [node.name for node in nodes]
    real = ["Placeholder", "data_bn/data_bn/mul", "data_bn/data_bn/add_1", "fc/fc", "loss"]
    real += ["model_outputs"]

    assert [name for name in names if name in real] == real
    assert {node.op for node in nodes if node.name in ("loss", "model_outputs")} == {
        "Softmax",
        "Identity",
    }
    sizes = [dim.size for dim in nodes[0].attr["shape"].shape.dim]
    assert sizes == [-1, 224, 224, 3]


@pytest.mark.tensorflow
@pytest.mark.parametrize("make", [exports.general_graph, exports.s1_graph, exports.detection_graph])
def test_the_graphs_are_the_same_each_time(make: Any) -> None:
    assert make.__wrapped__() == make()


def test_the_manifest_names_the_file_and_its_checksum() -> None:
    said = json.loads(exports.manifest(b"weights", Flavor="TensorFlowNormal"))

    assert said["DomainType"] == "Classification"
    assert said["Flavor"] == "TensorFlowNormal"
    assert said["ModelFileName"] == "model.pb"
    assert said["ModelFileSHA1"] == hashlib.sha1(b"weights").hexdigest()
    assert "ModelFileSHA1" not in json.loads(exports.manifest(model_file="saved_model.pb"))


def test_the_metadata_is_all_text() -> None:
    said = json.loads(exports.metadata_properties(300, Preprocess_ResizeMethod="Stretch"))

    assert said["CustomVision.Preprocess.TargetHeight"] == "300"
    assert said["CustomVision.Preprocess.ResizeMethod"] == "Stretch"
    assert {type(value) for value in said.values()} == {str}
