"""ONNX models of every kind that is served: converted ones, Custom Vision's own, others."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from image_classifier import Classifier, Settings
from image_classifier.bindings.http import prediction_headers
from image_classifier.engines.base import EngineOptions
from image_classifier.engines.onnx import load
from image_classifier.errors import ModelError
from image_classifier.models.model import Model
from tests.support.builders import COLOURS, colour_image
from tests.support.onnx_files import BGR8, colour_onnx, onnx_folder

ROOT = Path(__file__).resolve().parents[3]


def classify(tmp_path: Path, colour: str) -> str | None:
    classifier = Classifier(Settings.from_environ({}), app_root=tmp_path)
    prediction = classifier.classify_bytes(colour_image(colour))
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

    assert Model("m", 1, folder).load().engine.input_spec.scale == pytest.approx(1 / 255)


@pytest.mark.parametrize("channels_first", [False, True])
def test_a_model_json_says_it_for_any_other_file(tmp_path: Path, channels_first: bool) -> None:
    input_spec = {"input": "data", "output": "model_output", "size": 32, "channels": "BGR"}
    onnx_folder(
        tmp_path / "models", colour_onnx(channels_first=channels_first), input_spec=input_spec
    )

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


def test_a_provider_that_runs_nothing_is_skipped_with_a_word(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is in the usual build, and accepts every model."""
    if "AzureExecutionProvider" not in ort.get_available_providers():
        pytest.skip("another build of ONNX Runtime")
    folder = onnx_folder(tmp_path / "models", colour_onnx(metadata=BGR8))
    options = EngineOptions(providers=("AzureExecutionProvider",))
    engine = load(folder / "model.onnx", None, options)

    assert engine.provider == "CPUExecutionProvider"
    assert caplog.messages == [
        "AzureExecutionProvider (ONNX_PROVIDERS) can run no part of this model: skipped"
    ]


def test_providers_are_told_their_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The CPU's provider takes none, so what reaches ONNX Runtime is looked at on its way."""
    folder = onnx_folder(tmp_path / "models", colour_onnx(metadata=BGR8))
    told = {"CPUExecutionProvider": {"level": "0"}, "CUDAExecutionProvider": {"device_id": "7"}}
    seen: dict[str, object] = {}
    real = ort.InferenceSession

    def watched(*arguments: object, **options: object) -> ort.InferenceSession:
        seen.update(options)
        return real(*arguments, **options)

    monkeypatch.setattr(ort, "InferenceSession", watched)
    load(folder / "model.onnx", None, EngineOptions(provider_options=told))

    assert seen["providers"] == ["CPUExecutionProvider"]
    assert seen["provider_options"] == [{"level": "0"}]


def test_the_provider_in_use_is_told_to_callers(tmp_path: Path) -> None:
    onnx_folder(tmp_path / "models", colour_onnx(metadata=BGR8))
    env = {
        # The CPU is always there for what is left.
        "ONNX_PROVIDERS": "TensorrtExecutionProvider, CUDAExecutionProvider",
        "ONNX_PROVIDER_OPTIONS": '{"CUDAExecutionProvider": {"device_id": 0}}',
    }
    classifier = Classifier(Settings.from_environ(env), app_root=tmp_path)
    prediction = classifier.classify_bytes(colour_image("red"))

    assert (prediction.engine, prediction.provider) == ("onnx", "CPUExecutionProvider")
    assert prediction_headers(prediction)["X-Engine"] == "onnx (CPUExecutionProvider)"


def test_the_engine_setting_chooses_where_both_files_are(tmp_path: Path, colours_pb: bytes) -> None:
    onnx_folder(tmp_path / "models", colour_onnx(metadata=BGR8), graph=colours_pb)
    for wanted, engine in (("auto", "onnx"), ("onnx", "onnx"), ("tensorflow", "tensorflow")):
        classifier = Classifier(Settings.from_environ({"ENGINE": wanted}), app_root=tmp_path)

        assert classifier.classify_bytes(colour_image("red")).engine == engine


def test_batches_run(tmp_path: Path) -> None:
    folder = onnx_folder(tmp_path / "models", colour_onnx(metadata=BGR8))
    scores = Model("m", 1, folder).load().engine.predict(np.zeros((4, 32, 32, 3), np.float32))

    assert scores.shape == (4, 3)
    assert scores.dtype == np.float32


@pytest.mark.tensorflow
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


def test_a_file_that_cannot_be_read_is_named_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(
        ModelError, match=r"model\.onnx cannot be read: No such file or directory\."
    ):
        load(tmp_path / "model.onnx", None, EngineOptions())


def test_threads_that_wait_sleep_instead_of_spinning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions: list[ort.InferenceSession] = []

    class Seen(ort.InferenceSession):  # type: ignore[misc]
        def __init__(self, *args: object, **options: object) -> None:
            super().__init__(*args, **options)
            sessions.append(self)

    monkeypatch.setattr(ort, "InferenceSession", Seen)
    folder = onnx_folder(tmp_path / "models", colour_onnx(metadata=BGR8))
    load(folder / "model.onnx", None, EngineOptions(threads=2))
    options = sessions[0].get_session_options()

    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (2, 1)
