"""The pipeline's invariants: what is in memory, what holds a slot, and what stays loaded."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from image_classifier import Classifier, Settings
from image_classifier.concurrency.compute_slots import usable_cores
from image_classifier.errors import ImageTooLarge, InvalidRequest, UnsupportedImage
from image_classifier.model_files.input_spec import InputSpec
from image_classifier.models.model import ModelState
from image_classifier.pipeline import Pipeline
from tests.support.builders import colour_image


class LookingEngine:
    """An engine that looks around while it runs, and gives one score."""

    def __init__(self, look: Callable[[], None] = lambda: None) -> None:
        self.input_spec = InputSpec(input_name="in", output_name="out", height=32, width=32)
        self._look = look

    def predict(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        self._look()
        return np.ones((len(batch), 1), np.float32)


def pipeline_of(**environ: str) -> Pipeline:
    return Pipeline(Settings.from_environ(environ))


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.001)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_the_pixels_of_an_image_are_gone_when_the_model_runs(kind: str) -> None:
    pipeline = pipeline_of()
    image = pipeline.open(colour_image("red", (400, 300), kind=kind))
    header = weakref.ref(image._header)
    seen: list[object] = []

    scores, times = pipeline.run(image, LookingEngine(lambda: seen.append(header())))

    assert seen == [None], "the caller still holds what open gave it, and that keeps no pixels"
    assert scores == (1.0,)
    assert [name for name, _ in times.items()] == ["decode", "preprocess", "infer"]


def test_an_opened_image_is_used_up_by_its_run() -> None:
    pipeline = pipeline_of()
    image = pipeline.open(colour_image())
    pipeline.run(image, LookingEngine())

    with pytest.raises(ValueError, match="only once"):
        pipeline.run(image, LookingEngine())


def test_a_run_that_fails_keeps_neither_room_nor_slot() -> None:
    pipeline = pipeline_of(MAX_IMAGE_PIXELS="10000")
    data = colour_image("red", (100, 100), kind="JPEG")
    for _ in range(2 * usable_cores()):
        with pytest.raises(UnsupportedImage):
            pipeline.run(pipeline.open(data[: len(data) // 2]), LookingEngine())

    assert pipeline.run(pipeline.open(data), LookingEngine())[0] == (1.0,)
    assert pipeline._slots.free == usable_cores()


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", InvalidRequest),
        (b"no image", UnsupportedImage),
        (b"x" * 1001, ImageTooLarge),
        (colour_image(size=(11, 10)), ImageTooLarge),
    ],
)
def test_open_refuses_what_can_be_refused_before_a_pixel_is_decoded(
    data: bytes, error: type[Exception]
) -> None:
    with pytest.raises(error):
        pipeline_of(MAX_IMAGE_BYTES="1000", MAX_IMAGE_PIXELS="100").open(data)


def test_an_image_that_waits_for_room_holds_no_slot() -> None:
    pipeline = pipeline_of(MAX_IMAGE_PIXELS="10000")
    image = pipeline.open(colour_image("red", (100, 100)))
    waiting = threading.Thread(target=pipeline.run, args=(image, LookingEngine()), daemon=True)

    with pipeline._pixels.reserve(10_000):
        waiting.start()
        until(lambda: pipeline._pixels.waiting == 1)
        assert pipeline._slots.free == usable_cores()
    waiting.join(timeout=20)

    assert not waiting.is_alive()


def test_an_image_that_waits_for_a_slot_has_its_room_already() -> None:
    pipeline = pipeline_of(MAX_IMAGE_PIXELS="10000")
    image = pipeline.open(colour_image("red", (100, 100)))
    go_on = threading.Event()
    threads = [
        threading.Thread(target=pipeline.infer, args=(go_on.wait,), daemon=True)
        for _ in range(usable_cores())
    ]
    for thread in threads:
        thread.start()
    until(lambda: not pipeline._slots.free)
    threads.append(threading.Thread(target=pipeline.run, args=(image, LookingEngine())))
    threads[-1].start()
    until(lambda: pipeline._slots.waiting == 1)

    assert pipeline._pixels.used == 10_000
    go_on.set()
    for thread in threads:
        thread.join(timeout=20)
        assert not thread.is_alive()
    assert pipeline._pixels.used == 0


def test_a_model_that_answers_stays_loaded_until_its_answer_is_made(classifier: Classifier) -> None:
    classifier.warm_up()
    model = classifier.repository.get()
    go_on = threading.Event()
    tags: list[str | None] = []
    threads = [
        threading.Thread(target=classifier.pipeline.infer, args=(go_on.wait,), daemon=True)
        for _ in range(usable_cores())
    ]
    for thread in threads:
        thread.start()
    until(lambda: not classifier.pipeline._slots.free)
    threads.append(
        threading.Thread(
            target=lambda: tags.append(
                classifier.classify_bytes(colour_image("blue")).predicted_tag_name
            )
        )
    )
    threads[-1].start()
    until(lambda: classifier.pipeline._slots.waiting == 1)

    model.unload()
    assert model.state is ModelState.UNLOADING
    assert tags == []
    go_on.set()
    for thread in threads:
        thread.join(timeout=20)
    assert tags == ["Blue"]
    until(lambda: model.state is ModelState.UNLOADED)
