"""Turns the bytes of an image file into scores, within bounds of memory and of cores."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

from image_classifier.concurrency.compute_slots import ComputeSlots, usable_cores
from image_classifier.concurrency.pixel_budget import PixelBudget
from image_classifier.engines.base import Engine
from image_classifier.errors import ImageTooLarge, InvalidRequest
from image_classifier.images.decode import read_header, read_pixels
from image_classifier.images.fast_preprocess import preprocess_scaled, smallest_decode_size
from image_classifier.images.opened_image import OpenedImage
from image_classifier.images.preprocess import preprocess
from image_classifier.observability import telemetry
from image_classifier.results import StageTimes
from image_classifier.settings import Settings

__all__ = ["Pipeline", "milliseconds_since"]

P = ParamSpec("P")
T = TypeVar("T")


class Pipeline:
    """Decodes images, preprocesses them and runs models; one for all threads of a process.

    Args:
        settings: the limits and DECODE.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        # Room for one image of the largest size, or for several smaller ones.
        self._pixels = PixelBudget(settings.max_image_pixels)
        self._slots = ComputeSlots(usable_cores())

    def open(self, data: bytes) -> OpenedImage:
        """Checks an image file's size and header; decodes no pixel.

        A model is looked up only after this: nothing is loaded for bytes that are no image.

        Args:
            data: a whole image file.

        Raises:
            InvalidRequest: the file is empty.
            ImageTooLarge: it has more bytes or pixels than allowed.
            UnsupportedImage: it is not an image that can be decoded.
        """
        if not data:
            raise InvalidRequest("The image is empty: it has 0 bytes. Send the whole file.")
        if len(data) > self._settings.max_image_bytes:
            raise ImageTooLarge(
                f"The image has {len(data)} bytes; at most {self._settings.max_image_bytes} are "
                "allowed (MAX_IMAGE_BYTES). Send a smaller file."
            )
        telemetry.add_image(len(data))
        return OpenedImage(read_header(data, max_pixels=self._settings.max_image_pixels))

    def run(self, image: OpenedImage, engine: Engine) -> tuple[tuple[float, ...], StageTimes]:
        """Decodes an image, preprocesses it and runs a model on it.

        Args:
            image: the result of ``open``; it is used up.
            engine: the model's.

        Returns:
            One score for each label, and the milliseconds of each stage.

        Raises:
            UnsupportedImage: the image cannot be decoded.
            TooManyRequests: there is no memory for its pixels.
            ModelError: the model cannot be run.
        """
        # The slot comes last: an image that waits for memory must not keep a slot from the images
        # that will release that memory.
        with self._pixels.reserve(image.pixels):
            scores, times = self._slots.run_in_slot(
                partial(_compute, image, engine, decode=self._settings.decode)
            )
        # Recorded here, in the request's thread: another thread may have computed.
        telemetry.add_stages(times.items())
        return scores, times

    def infer(self, predict: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs a model on tensors in a compute slot.

        Args:
            predict: runs the model; its errors are passed on.
            args: for ``predict``.
            kwargs: likewise.
        """
        result, infer_ms = self._slots.run_in_slot(partial(_timed, predict, *args, **kwargs))
        telemetry.add_stages([("infer", infer_ms)])
        return result


def _timed(predict: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> tuple[T, float]:
    started = time.perf_counter()
    return predict(*args, **kwargs), milliseconds_since(started)


def _compute(
    image: OpenedImage, engine: Engine, *, decode: str
) -> tuple[tuple[float, ...], StageTimes]:
    """All work on one image that needs a core."""
    started = time.perf_counter()
    header = image.take()
    input_spec, full_size = engine.input_spec, header.size
    if decode == "fast":
        # Only JPEG's decoder can do it; for other formats this does nothing.
        header.draft(None, smallest_decode_size(full_size, input_spec))
    is_scaled = header.size != full_size
    pixels = read_pixels(header)
    decode_ms = milliseconds_since(started)

    started = time.perf_counter()
    if is_scaled:
        tensor = preprocess_scaled(pixels, full_size, input_spec)
    else:
        tensor = preprocess(pixels, input_spec)
    preprocess_ms = milliseconds_since(started)
    del header, pixels  # frees their memory before the model runs

    started = time.perf_counter()
    scores = tuple(engine.predict(tensor[None])[0].tolist())
    infer_ms = milliseconds_since(started)
    return scores, StageTimes(decode=decode_ms, preprocess=preprocess_ms, infer=infer_ms)


def milliseconds_since(started: float) -> float:
    """Milliseconds since a ``time.perf_counter()``."""
    return (time.perf_counter() - started) * 1000
