"""ONNX models with OpenVINO on the CPU: the same answers as ONNX Runtime's, the same refusals."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import requests

from image_classifier import Classifier, Settings
from image_classifier.engines import onnx
from image_classifier.engines.base import EngineOptions
from image_classifier.errors import ModelError
from image_classifier.models.model import Model
from tests.support.builders import COLOURS, colour_image
from tests.support.onnx_files import BGR8, colour_onnx, onnx_folder
from tests.support.servers import LocalHost
from tools.convert.verification import compare, random_tensors

pytest.importorskip("openvino", reason="OpenVINO is not installed: pip install openvino")
from image_classifier.engines import openvino

ROOT = Path(__file__).resolve().parents[3]
DEMO = ROOT / "models" / "digits" / "1" / "model.onnx"


def load(folder: Path, **options: object) -> openvino.OpenVinoEngine:
    return openvino.load(folder / "model.onnx", None, EngineOptions(**options))  # type: ignore[arg-type]


def test_the_demo_model_answers_as_with_onnx_runtime() -> None:
    other = onnx.load(DEMO, None, EngineOptions())
    ours = openvino.load(DEMO, None, EngineOptions())
    agreement = compare(other, ours, random_tensors(12, other.input_spec))

    assert ours.input_spec == other.input_spec
    assert ours.provider == "CPU"
    assert agreement.largest_difference < 1e-5
    assert agreement.same_top == 12


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("colour", COLOURS)
def test_custom_visions_own_export_is_accepted_as_it_is(
    tmp_path: Path, colour: str, half: bool
) -> None:
    onnx_folder(tmp_path / "models", colour_onnx(metadata=BGR8, half=half))
    settings = Settings.from_environ({"ENGINE": "openvino"})
    prediction = Classifier(settings, app_root=tmp_path).classify_bytes(
        colour_image(colour.lower())
    )

    assert prediction.predicted_tag_name == colour
    assert (prediction.engine, prediction.provider) == ("openvino", "CPU")


@pytest.mark.parametrize("channels_first", [False, True])
def test_a_model_json_says_it_for_any_other_file(tmp_path: Path, channels_first: bool) -> None:
    input_spec = {"input": "data", "output": "model_output", "size": 32, "channels": "BGR"}
    data = colour_onnx(channels_first=channels_first)
    folder = onnx_folder(tmp_path / "models", data, input_spec=input_spec)
    engine = Model("m", 1, folder, engine="openvino").load().engine
    red = np.zeros((1, 32, 32, 3), np.float32)
    red[..., 2] = 255

    assert engine.predict(red)[0].argmax() == COLOURS.index("Red")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is not an ONNX model that this OpenVINO can load: it is empty"),
        (b"hello", "is not an ONNX model"),
        (colour_onnx()[:-50], "is not an ONNX model|cannot run"),
        (colour_onnx(), r"does not say how it is fed.*model\.json"),
        (colour_onnx(metadata={**BGR8, "Image.BitmapPixelFormat": "Yuv"}), "Yuv"),
        (colour_onnx(metadata=BGR8, output="detected_boxes"), "object detection"),
        (colour_onnx(metadata=BGR8, as_map=True), "is not an ONNX model"),
    ],
)
def test_what_cannot_be_served_is_refused_in_words(tmp_path: Path, data: bytes, words: str) -> None:
    folder = onnx_folder(tmp_path / "models", data)

    with pytest.raises(ModelError, match=words) as error:
        Model("m", 1, folder, engine="openvino").load()
    assert "model.onnx" in error.value.message
    assert "\n" not in error.value.message


def test_a_device_that_is_not_there_is_named(tmp_path: Path) -> None:
    folder = onnx_folder(tmp_path / "models", colour_onnx(metadata=BGR8))

    with pytest.raises(ModelError, match=r"OPENVINO_DEVICE is 'FPGA'.*CPU.*AUTO"):
        load(folder, openvino_device="FPGA")


def test_a_batch_runs_and_a_wrong_shape_is_an_error(tmp_path: Path) -> None:
    engine = load(onnx_folder(tmp_path / "models", colour_onnx(metadata=BGR8)))

    assert engine.predict(np.zeros((4, 32, 32, 3), np.float32)).shape == (4, 3)
    with pytest.raises(ModelError, match=r"shape \[1, 3, 16, 16\]"):
        engine.predict(np.zeros((1, 16, 16, 3), np.float32))


def test_many_threads_get_each_their_own_answer() -> None:
    engine = openvino.load(DEMO, None, EngineOptions())
    tensors = [tensor[None] for tensor in random_tensors(16, engine.input_spec)]
    alone = [engine.predict(tensor) for tensor in tensors]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(engine.predict, tensors * 4))

    for number, scores in enumerate(together):
        np.testing.assert_allclose(scores, alone[number % 16], atol=1e-6)


def test_an_answer_does_not_change_when_the_next_one_is_computed() -> None:
    engine = openvino.load(DEMO, None, EngineOptions())
    first, second = (tensor[None] for tensor in random_tensors(2, engine.input_spec))
    scores = engine.predict(first)
    kept = scores.copy()
    engine.predict(second)

    np.testing.assert_array_equal(scores, kept)


def test_neither_tensorflow_nor_onnx_runtime_is_loaded() -> None:
    program = (
        "import sys\n"
        "from image_classifier import Classifier, Settings\n"
        "from tests.support.builders import colour_image\n"
        "c = Classifier(Settings.from_environ({'ENGINE': 'openvino'}))\n"
        "assert c.classify_bytes(colour_image()).engine == 'openvino'\n"
        "print(*sorted({'tensorflow', 'onnxruntime', 'openvino'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)

    assert done.stdout.split() == ["openvino"], done.stderr


def test_the_app_says_what_it_runs_on() -> None:
    with LocalHost(env={"ENGINE": "openvino"}) as host:
        answer = requests.post(f"{host.url}/api/classify", data=colour_image(), timeout=60)
        (version,) = requests.get(f"{host.url}/api/status", timeout=60).json()["models"][0][
            "versions"
        ]

    assert answer.headers["X-Engine"] == "openvino (CPU)"
    assert (version["engine"], version["provider"]) == ("openvino", "CPU")
