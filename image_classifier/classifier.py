"""Classifies images: URL -> bytes -> open -> model -> run -> tags."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from image_classifier.engines.registry import ENGINES
from image_classifier.errors import ClassifierError, SettingsError
from image_classifier.fetching.fetch import fetch
from image_classifier.fetching.policy import FetchPolicy
from image_classifier.models.repository import Repository
from image_classifier.models.serving_config import ModelConfig, read_model_config
from image_classifier.observability import telemetry
from image_classifier.pipeline import Pipeline, milliseconds_since
from image_classifier.results import Prediction, tags_from_scores
from image_classifier.settings import Settings

__all__ = ["APP_ROOT", "Classifier"]

# The folder that is deployed: this package lies directly in it.
APP_ROOT = Path(__file__).resolve().parents[1]


class Classifier:
    """Classifies images with the models of one repository. Safe to share among threads.

    Args:
        settings: all of them.
        app_root: the folder that relative paths in the settings start from.
        repository: the models; None: those that the settings name.

    Raises:
        SettingsError: ``ENGINE`` names no engine, or ``MODEL_CONFIG_FILE`` cannot be read.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        app_root: Path = APP_ROOT,
        repository: Repository | None = None,
    ) -> None:
        if settings.engine != "auto" and settings.engine not in ENGINES:
            allowed = ", ".join(["auto", *ENGINES])
            raise SettingsError(f"ENGINE={settings.engine!r}: it must be one of {allowed}.")
        self.settings = settings
        self.repository = repository or Repository(
            settings, app_root=app_root, models=_configured(settings, app_root)
        )
        self.pipeline = Pipeline(settings)
        self._fetch_policy = FetchPolicy.from_settings(settings)

    def warm_up(self) -> None:
        """Loads the default model, which also runs it once; a failure is only logged.

        Raising it here would help nobody: the requests that need the model report it.
        """
        with contextlib.suppress(ClassifierError):
            self.repository.load()

    def classify_url(
        self, url: str, *, model: str | None = None, version: int | None = None
    ) -> Prediction:
        """Downloads an image and classifies it.

        Raises:
            ClassifierError: any kind of it.
        """
        self._check_model(model, version)  # no download for an unknown model
        started = time.perf_counter()
        try:
            data = fetch(url, self._fetch_policy)
        finally:  # also for a failure, which may have taken longest
            fetch_ms = milliseconds_since(started)
            telemetry.add_stages([("fetch", fetch_ms)])
        return self._classify(data, model, version, fetch_ms=fetch_ms)

    def classify_bytes(
        self, data: bytes, *, model: str | None = None, version: int | None = None
    ) -> Prediction:
        """Classifies an encoded image (the bytes of a JPEG, PNG … file).

        Raises:
            ClassifierError: any kind of it but FetchError.
        """
        self._check_model(model, version)
        return self._classify(data, model, version)

    def _check_model(self, model: str | None, version: int | None) -> None:
        known = self.repository.get(model, version)
        telemetry.set_model(known.name, known.version)

    def _classify(
        self,
        data: bytes,
        model: str | None,
        version: int | None,
        *,
        fetch_ms: float | None = None,
    ) -> Prediction:
        image = self.pipeline.open(data)  # before the model: nothing is loaded for other files
        loaded = self.repository.load(model, version)  # stays loaded while this method holds it
        telemetry.set_model(loaded.name, loaded.version, loaded.engine_name)
        scores, times = self.pipeline.run(image, loaded.engine)
        return Prediction(
            created=datetime.now(UTC).replace(tzinfo=None),
            tags=tags_from_scores(loaded.labels, scores),
            labels=loaded.labels,
            scores=scores,
            model=loaded.name,
            version=loaded.version,
            engine=loaded.engine_name,
            provider=loaded.provider,
            times=replace(times, fetch=fetch_ms),
            iteration_id=loaded.iteration_id,
        )


def _configured(settings: Settings, app_root: Path) -> Sequence[ModelConfig]:
    """The models that the setting MODEL_CONFIG_FILE lists."""
    if not settings.model_config_file:
        return ()
    path = app_root / settings.model_config_file
    try:
        text = path.read_text("utf-8-sig")
        return read_model_config(text, where=settings.model_config_file, root=app_root)
    except OSError as exc:
        raise SettingsError(
            f"MODEL_CONFIG_FILE={settings.model_config_file!r}: it cannot be read: {exc.strerror}."
        ) from exc
    except ValueError as exc:
        raise SettingsError(f"MODEL_CONFIG_FILE: {exc}") from exc
