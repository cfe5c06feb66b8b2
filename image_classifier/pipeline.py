"""From the bytes of an image file to scores, within bounds of memory and of cores."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from PIL import Image

from image_classifier.concurrency.compute_slots import ComputeSlots, usable_cores
from image_classifier.concurrency.pixel_budget import PixelBudget
from image_classifier.engines.base import Engine
from image_classifier.errors import ImageTooLarge, InvalidRequest
from image_classifier.images.decode import read_header, read_pixels
from image_classifier.images.fast_preprocess import preprocess_scaled, smallest_decode_size
from image_classifier.images.preprocess import preprocess
from image_classifier.observability import telemetry
from image_classifier.results import StageTimes
from image_classifier.settings import Settings

__all__ = ["Pipeline", "milliseconds_since"]

T = TypeVar("T")


class Pipeline:
    """Decodes, preprocesses and runs; one for a whole process, shared by all threads.

    Args:
        settings: for the limits and DECODE.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        # Room for one image of the largest size, or for several smaller ones.
        self._pixels = PixelBudget(settings.max_image_pixels)
        self._compute = ComputeSlots(usable_cores())

    def scores(
        self, data: bytes, engine: Callable[[], Engine]
    ) -> tuple[tuple[float, ...], StageTimes]:
        """One score for each label, and what each stage took.

        Args:
            data: an image file.
            engine: gives what is to run; asked for once the file is known to be an image.

        Raises:
            ClassifierError: the file or the model cannot be used.
        """
        if not data:
            raise InvalidRequest("The image is empty: it has 0 bytes. Send the whole file.")
        if len(data) > self._settings.max_image_bytes:
            raise ImageTooLarge(
                f"The image has {len(data)} bytes; at most {self._settings.max_image_bytes} are "
                "allowed (MAX_IMAGE_BYTES). Send a smaller file."
            )
        telemetry.add_image(len(data))
        header = read_header(data, max_pixels=self._settings.max_image_pixels)
        chosen = engine()  # before pixels are in memory

        pixels = header.width * header.height
        # Taken out when its turn comes: nobody else then keeps the pixels longer than it takes.
        headers = [header]
        del header
        # The slot last: who waits for room must not keep one from those who will make the room.
        with self._pixels.reserve(pixels):
            scores, times = self.run(
                lambda: _compute(headers.pop(), chosen, decode=self._settings.decode)
            )
        telemetry.add_stages(
            times.items()
        )  # by the thread of the request; another may have computed
        return scores, times

    def infer(self, work: Callable[[], T]) -> T:
        """Runs a model on what is decoded already, when it is its turn; raises what that raises."""

        def timed() -> tuple[T, float]:
            started = time.perf_counter()
            return work(), milliseconds_since(started)

        found, infer_ms = self.run(timed)
        telemetry.add_stages([("infer", infer_ms)])
        return found

    def run(self, work: Callable[[], T]) -> T:
        """Does work that wants a core, when it is its turn; raises what the work raises."""
        return self._compute.run(work)


def _compute(
    header: Image.Image, engine: Engine, *, decode: str
) -> tuple[tuple[float, ...], StageTimes]:
    """An image that is not decoded yet -> scores: all that wants a core."""
    started = time.perf_counter()
    input_spec, full_size = engine.input_spec, header.size
    if decode == "fast":
        # Only JPEG's decoder can do it; for other formats this does nothing.
        header.draft(None, smallest_decode_size(full_size, input_spec))
    is_drafted = header.size != full_size
    image = read_pixels(header)
    decode_ms = milliseconds_since(started)

    started = time.perf_counter()
    if is_drafted:
        tensor = preprocess_scaled(image, full_size, input_spec)
    else:
        tensor = preprocess(image, input_spec)
    preprocess_ms = milliseconds_since(started)
    del header, image  # their pixels are not needed any more

    started = time.perf_counter()
    scores = tuple(engine.predict(tensor[None])[0].tolist())
    infer_ms = milliseconds_since(started)
    return scores, StageTimes(decode=decode_ms, preprocess=preprocess_ms, infer=infer_ms)


def milliseconds_since(started: float) -> float:
    """Milliseconds since a ``time.perf_counter()``."""
    return (time.perf_counter() - started) * 1000
