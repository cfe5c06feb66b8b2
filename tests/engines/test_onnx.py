"""ONNX models of every kind that is served: converted ones, Custom Vision's own, others."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from image_classifier import Classifier, Settings
from image_classifier.engines import EngineOptions
from image_classifier.engines.onnx import load
from image_classifier.errors import ModelError
from image_classifier.model import Model
from tests.builders import COLOURS, model_folder, picture
from tools.convert.onnx_file import OPSET

ROOT = Path(__file__).resolve().parents[2]
BGR8 = {"Image.BitmapPixelFormat": "Bgr8", "Image.NominalPixelRange": "NominalRange_0_255"}


def colour_onnx(
    *,
    metadata: dict[str, str] | None = None,
    channels_first: bool = True,
    as_map: bool = False,
    size: int = 32,
    output: str = "model_output",
    half: bool = False,
) -> bytes:
    """The colour model of tests.builders as an ONNX file, in the shape of Custom Vision's own."""
    from onnx import TensorProto, helper

    number = TensorProto.FLOAT16 if half else TensorProto.FLOAT
    shape = ["N", 3, size, size] if channels_first else ["N", size, size, 3]
    axes = [2, 3] if channels_first else [1, 2]
    nodes = [
        helper.make_node("ReduceMean", ["data"], ["means"], axes=axes, keepdims=0),
        helper.make_node("Div", ["means", "sixteen"], ["scaled"]),
        helper.make_node("Softmax", ["scaled"], ["scores"], axis=1),
    ]
    outputs: list[Any]
    if as_map:
        labels = {"classlabels_strings": ["Red", "Green", "Blue"][::-1]}
        nodes.append(
            helper.make_node("ZipMap", ["scores"], ["loss"], domain="ai.onnx.ml", **labels)
        )
        of_float = helper.make_tensor_type_proto(TensorProto.FLOAT, None)
        kind = helper.make_sequence_type_proto(
            helper.make_map_type_proto(TensorProto.STRING, of_float)
        )
        outputs = [helper.make_value_info("loss", kind)]
    else:
        nodes.append(helper.make_node("Identity", ["scores"], [output]))
        outputs = [helper.make_tensor_value_info(output, number, ["N", 3])]
    graph = helper.make_graph(
        nodes,
        "colours",
        [helper.make_tensor_value_info("data", number, shape)],
        outputs,
        [helper.make_tensor("sixteen", number, [], [16.0])],
    )
    domains = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", 1)]
    model = helper.make_model(graph, opset_imports=domains, ir_version=8)
    helper.set_model_props(model, metadata or {})
    return bytes(model.SerializeToString())


def onnx_folder(models: Path, data: bytes, **options: Any) -> Path:
    folder = model_folder(models, "digits", **options)
    (folder / "model.onnx").write_bytes(data)
    return folder


def classify(tmp_path: Path, colour: str) -> str | None:
    classifier = Classifier(Settings.from_environ({}), app_root=tmp_path)
    prediction = classifier.classify_bytes(picture(colour))
    assert prediction.engine == "onnx"
    return prediction.predicted_tag_name


@pytest.mark.parametrize("as_map", [False, True])
@pytest.mark.parametrize("colour", COLOURS)
def test_custom_visions_own_export_is_accepted_as_it_is(
    tmp_path: Path, colour: str, as_map: bool
) -> None:
    onnx_folder(tmp_path / "models", colour_onnx(metadata=BGR8, as_map=as_map))

    assert classify(tmp_path, colour.lower()) == colour


def test_rgb_exports_are_fed_rgb(tmp_path: Path) -> None:
    data = colour_onnx(metadata={**BGR8, "Image.BitmapPixelFormat": "Rgb8"})
    onnx_folder(tmp_path / "models", data, labels="Red\nGreen\nBlue")

    assert classify(tmp_path, "red") == "Red"


@pytest.mark.parametrize("colour", COLOURS)
def test_the_flavour_of_half_precision_is_fed_in_it(tmp_path: Path, colour: str) -> None:
    onnx_folder(tmp_path / "models", colour_onnx(metadata=BGR8, half=True))

    assert classify(tmp_path, colour.lower()) == colour


def test_the_pixel_range_of_the_metadata_becomes_the_scale(tmp_path: Path) -> None:
    data = colour_onnx(metadata={**BGR8, "Image.NominalPixelRange": "Normalized_0_1"})
    folder = onnx_folder(tmp_path / "models", data)

    assert Model("m", 1, folder).load().engine.contract.scale == pytest.approx(1 / 255)


@pytest.mark.parametrize("channels_first", [False, True])
def test_a_model_json_says_it_for_any_other_file(tmp_path: Path, channels_first: bool) -> None:
    contract = {"input": "data", "output": "model_output", "size": 32, "channels": "BGR"}
    onnx_folder(tmp_path / "models", colour_onnx(channels_first=channels_first), contract=contract)

    assert classify(tmp_path, "green") == "Green"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is not an ONNX model"),
        (b"hello", "is not an ONNX model"),
        (colour_onnx()[:-50], "is not an ONNX model|cannot run"),
        (colour_onnx(), r"does not say how it is fed.*model\.json"),
        (colour_onnx(metadata={**BGR8, "Image.BitmapPixelFormat": "Yuv"}), "Yuv"),
        (colour_onnx(metadata=BGR8, output="detected_boxes"), "object detection"),
        (colour_onnx(metadata={"image_classifier.contract": "{"}), "cannot be read as JSON"),
    ],
)
def test_what_cannot_be_served_is_refused_in_words(tmp_path: Path, data: bytes, words: str) -> None:
    folder = onnx_folder(tmp_path / "models", data)

    with pytest.raises(ModelError, match=words) as error:
        Model("m", 1, folder).load()
    assert "model.onnx" in error.value.message
    assert "\n" not in error.value.message


def test_labels_that_the_map_does_not_have_are_named(tmp_path: Path) -> None:
    data = colour_onnx(metadata=BGR8, as_map=True)
    folder = onnx_folder(tmp_path / "models", data, labels="Blue\nGreen\nPink")

    with pytest.raises(ModelError, match="Pink"):
        Model("m", 1, folder).load()


def test_providers_that_are_missing_are_skipped_with_a_word(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = onnx_folder(tmp_path / "models", colour_onnx(metadata=BGR8))
    options = EngineOptions(providers=("FpgaExecutionProvider", "CPUExecutionProvider"))
    engine = load(folder / "model.onnx", None, options)

    assert engine.provider == "CPUExecutionProvider"
    assert "FpgaExecutionProvider (ONNX_PROVIDERS) is not in this ONNX Runtime" in caplog.text


def test_the_engine_setting_chooses_where_both_files_are(tmp_path: Path, colours_pb: bytes) -> None:
    onnx_folder(tmp_path / "models", colour_onnx(metadata=BGR8), graph=colours_pb)
    for wanted, engine in (("auto", "onnx"), ("onnx", "onnx"), ("tensorflow", "tensorflow")):
        classifier = Classifier(Settings.from_environ({"ENGINE": wanted}), app_root=tmp_path)

        assert classifier.classify_bytes(picture("red")).engine == engine


def test_batches_run(tmp_path: Path) -> None:
    folder = onnx_folder(tmp_path / "models", colour_onnx(metadata=BGR8))
    scores = Model("m", 1, folder).load().engine.run(np.zeros((4, 32, 32, 3), np.float32))

    assert scores.shape == (4, 3)
    assert scores.dtype == np.float32


def test_the_demo_model_answers_alike_in_both_formats() -> None:
    answers = {}
    for engine in ("onnx", "tensorflow"):
        classifier = Classifier(Settings.from_environ({"ENGINE": engine}), app_root=ROOT)
        answers[engine] = [
            classifier.classify_bytes(path.read_bytes()).scores
            for path in sorted((ROOT / "frontend" / "samples").glob("*.[pj][np]g"))
        ]

    assert len(answers["onnx"]) == 8
    assert np.abs(np.subtract(answers["onnx"], answers["tensorflow"])).max() < 1e-4


def test_answering_with_onnx_never_imports_tensorflow() -> None:
    program = (
        "import sys, json\n"
        "from pathlib import Path\n"
        "from image_classifier import Classifier, Settings\n"
        "c = Classifier(Settings.from_environ({}))\n"
        "p = c.classify_bytes(Path('frontend/samples/seven.png').read_bytes())\n"
        "assert (p.engine, p.predicted_tag_name) == ('onnx', '7'), p\n"
        "assert 'onnxruntime' in sys.modules\n"
        "print(json.dumps([m for m in sys.modules if m.split('.')[0] in ('tensorflow', 'onnx')]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"
