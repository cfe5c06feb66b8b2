"""The pipeline as a story: bytes -> decode -> preprocess -> run -> decide."""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from PIL import Image

from image_classifier.budget import PixelBudget
from image_classifier.compute_slots import ComputeSlots, usable_cores
from image_classifier.decode import read_header, read_pixels
from image_classifier.drafted import least_size, preprocess_drafted
from image_classifier.engines import ENGINES, Engine
from image_classifier.errors import (
    ClassifierError,
    ImageTooLarge,
    InvalidRequest,
    SettingsError,
)
from image_classifier.fetch import fetch
from image_classifier.model import Model
from image_classifier.preprocess import preprocess
from image_classifier.repository import Repository
from image_classifier.results import Prediction, StageTimes, tags_from_scores
from image_classifier.settings import Settings

__all__ = ["APP_ROOT", "Classifier"]

# The folder that is deployed: this package lies directly in it.
APP_ROOT = Path(__file__).resolve().parents[1]


class Classifier:
    """Classifies images with the models of one repository. Safe to share among threads.

    Args:
        settings: all of them.
        app_root: what relative folders in the settings are relative to.

    Raises:
        SettingsError: ``ENGINE`` names no engine.
    """

    def __init__(self, settings: Settings, *, app_root: Path = APP_ROOT) -> None:
        if settings.engine != "auto" and settings.engine not in ENGINES:
            allowed = ", ".join(["auto", *ENGINES])
            raise SettingsError(f"ENGINE={settings.engine!r}: it must be one of {allowed}.")
        self.settings = settings
        self.repository = Repository(settings, app_root=app_root)
        # Room for one image of the largest size, or for several smaller ones.
        self._pixels = PixelBudget(settings.max_image_pixels)
        self._compute = ComputeSlots(usable_cores())

    def warm_up(self) -> None:
        """Loads the default model, which also runs it once; a failure is only logged.

        Who asks later is told of the failure; nobody is served by raising it here.
        """
        with contextlib.suppress(ClassifierError):
            self.repository.get().load()

    def classify_url(
        self, url: str, *, model: str | None = None, version: int | None = None
    ) -> Prediction:
        """Downloads an image and classifies it.

        Raises:
            ClassifierError: any kind of it.
        """
        chosen = self.repository.get(model, version)
        started = time.perf_counter()
        data = fetch(url, self.settings)
        return self._classify(chosen, data, fetch_ms=_milliseconds_since(started))

    def classify_bytes(
        self, data: bytes, *, model: str | None = None, version: int | None = None
    ) -> Prediction:
        """Classifies an encoded image (the bytes of a JPEG, PNG … file).

        Raises:
            ClassifierError: any kind of it but FetchError.
        """
        return self._classify(self.repository.get(model, version), data)

    def _classify(self, model: Model, data: bytes, *, fetch_ms: float | None = None) -> Prediction:
        if not data:
            raise InvalidRequest("The image is empty: it has 0 bytes. Send the whole file.")
        if len(data) > self.settings.max_image_bytes:
            raise ImageTooLarge(
                f"The image has {len(data)} bytes; at most {self.settings.max_image_bytes} are "
                "allowed (MAX_IMAGE_BYTES). Send a smaller file."
            )
        header = read_header(data, max_pixels=self.settings.max_image_pixels)
        loaded = model.load()  # not for what is no image; and before pixels are in memory

        pixels = header.width * header.height
        # Taken out when its turn comes: nobody else then keeps the pixels longer than it takes.
        headers = [header]
        del header
        # The slot last: who waits for room must not keep one from those who will make the room.
        with self._pixels.reserve(pixels):
            scores, times = self._compute.run(
                lambda: _compute(headers.pop(), loaded.engine, decode=self.settings.decode)
            )

        return Prediction(
            created=datetime.now(UTC).replace(tzinfo=None),
            tags=tags_from_scores(loaded.labels, scores),
            scores=scores,
            model=model.name,
            version=model.version,
            engine=loaded.engine_name,
            times=replace(times, fetch=fetch_ms),
        )


def _compute(
    header: Image.Image, engine: Engine, *, decode: str
) -> tuple[tuple[float, ...], StageTimes]:
    """A picture that is not decoded yet -> scores: all that wants a core."""
    started = time.perf_counter()
    contract, full_size = engine.contract, header.size
    if decode == "fast":
        # Only JPEG's decoder can do it; for other formats this does nothing.
        header.draft(None, least_size(full_size, contract))
    is_drafted = header.size != full_size
    image = read_pixels(header)
    decode_ms = _milliseconds_since(started)

    started = time.perf_counter()
    if is_drafted:
        tensor = preprocess_drafted(image, full_size, contract)
    else:
        tensor = preprocess(image, contract)
    preprocess_ms = _milliseconds_since(started)
    del header, image  # their pixels are not needed any more

    started = time.perf_counter()
    scores = tuple(engine.run(tensor[None])[0].tolist())
    infer_ms = _milliseconds_since(started)
    return scores, StageTimes(decode=decode_ms, preprocess=preprocess_ms, infer=infer_ms)


def _milliseconds_since(started: float) -> float:
    return (time.perf_counter() - started) * 1000
