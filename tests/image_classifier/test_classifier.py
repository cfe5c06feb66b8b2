import json
import threading
import time
from pathlib import Path

import pytest

from image_classifier import Classifier, Settings
from image_classifier.concurrency.compute_slots import usable_cores
from image_classifier.errors import (
    ImageTooLarge,
    InvalidRequest,
    SettingsError,
    UnknownModel,
    UnsupportedImage,
)
from image_classifier.models.model import Model, ModelState
from tests.support.builders import colour_image, model_folder

DEVELOPMENT = {"AZURE_FUNCTIONS_ENVIRONMENT": "Development"}


@pytest.mark.parametrize("colour", ["red", "green", "blue"])
def test_the_main_colour_of_an_image_is_its_tag(classifier: Classifier, colour: str) -> None:
    prediction = classifier.classify_bytes(colour_image(colour))

    assert prediction.predicted_tag_name == colour.capitalize()
    assert (prediction.model, prediction.version, prediction.engine) == ("digits", 1, "onnx")
    assert sum(prediction.scores) == pytest.approx(1)
    assert prediction.times.fetch is None


def test_model_and_version_choose(classifier: Classifier, colours_onnx: bytes) -> None:
    upside_down = "Red\nGreen\nBlue"
    model_folder(
        Path(classifier.repository.display_name), "other", 7, onnx=colours_onnx, labels=upside_down
    )
    prediction = classifier.classify_bytes(colour_image("blue"), model="other", version=7)

    assert prediction.predicted_tag_name == "Red"
    assert (prediction.model, prediction.version) == ("other", 7)
    with pytest.raises(UnknownModel):
        classifier.classify_bytes(colour_image(), model="other", version=8)


@pytest.mark.parametrize("data", [b"", b"no image"])
def test_a_model_is_never_run_for_what_is_no_image(
    classifier: Classifier, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trap(self: Model) -> None:
        raise AssertionError("the model was loaded for a bad image")

    monkeypatch.setattr(Model, "load", trap)

    with pytest.raises((InvalidRequest, UnsupportedImage)):
        classifier.classify_bytes(data)


def test_the_byte_limit_counts_for_what_is_uploaded(app_root: Path) -> None:
    settings = Settings.from_environ({**DEVELOPMENT, "MAX_IMAGE_BYTES": "50"})

    with pytest.raises(ImageTooLarge, match="at most 50 are allowed"):
        Classifier(settings, app_root=app_root).classify_bytes(colour_image())


def test_only_computing_waits_for_a_core(classifier: Classifier) -> None:
    go_on = threading.Event()
    busy = [
        threading.Thread(target=classifier.pipeline.infer, args=(go_on.wait,), daemon=True)
        for _ in range(usable_cores())
    ]
    for thread in busy:
        thread.start()
    while classifier.pipeline._slots.free:
        time.sleep(0.001)

    classifier.warm_up()
    with pytest.raises(UnsupportedImage):
        classifier.classify_bytes(b"no image")
    caller = threading.Thread(target=classifier.classify_bytes, args=(colour_image(),), daemon=True)
    caller.start()
    caller.join(timeout=0.1)

    assert classifier.repository.get().state is ModelState.LOADED
    assert caller.is_alive()
    go_on.set()
    for thread in [*busy, caller]:
        thread.join(timeout=20)
        assert not thread.is_alive()


def test_images_that_wait_for_memory_keep_no_core_from_those_that_hold_it(app_root: Path) -> None:
    settings = Settings.from_environ({**DEVELOPMENT, "MAX_IMAGE_PIXELS": "10000"})
    crowded = Classifier(settings, app_root=app_root)
    answers: list[str | None] = []

    def ask(side: int) -> None:
        image = colour_image("red", (side, side))
        answers.extend(crowded.classify_bytes(image).predicted_tag_name for _ in range(5))

    callers = [
        threading.Thread(target=ask, args=(side,), daemon=True)
        for side in (100, 90, 60, 10) * 3  # some fill the room alone, of some two fit
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(timeout=20)

    assert answers == ["Red"] * 60


def test_an_engine_that_does_not_exist_is_found_at_start(app_root: Path) -> None:
    with pytest.raises(SettingsError, match="ENGINE='caffe'.*auto, onnx, openvino, tensorflow"):
        Classifier(Settings.from_environ({"ENGINE": "caffe"}), app_root=app_root)


@pytest.mark.tensorflow
def test_the_real_exports_answer_as_the_exporters_own_script(
    fixtures: Path, tmp_path: Path, settings: Settings
) -> None:
    expected = json.loads((fixtures / "expected.json").read_text("utf-8"))
    (tmp_path / "models").mkdir()
    for name in expected["predictions"]:
        folder = tmp_path / "models" / name
        folder.mkdir()
        (folder / "1").symlink_to(fixtures / "custom_vision" / name)
    classifier = Classifier(settings, app_root=tmp_path)
    checked = 0
    for model, images in expected["predictions"].items():
        for name, wanted in images.items():
            data = (fixtures / "images" / name).read_bytes()
            prediction = classifier.classify_bytes(data, model=model)
            got = {tag.tag_name: tag.probability for tag in prediction.tags}
            for tag in {*wanted, *got}:
                assert got.get(tag, 0) == pytest.approx(wanted.get(tag, 0), abs=1e-4), (model, name)
            checked += 1
    for name, tag in expected["corrected"].items():
        data = (fixtures / "images" / name).read_bytes()
        answer = classifier.classify_bytes(data, model="viktordudas-catdog")
        assert answer.predicted_tag_name == tag, name
    assert checked == 66
