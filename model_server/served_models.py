"""Loads the configured models beforehand, and watches their folders."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from pathlib import Path

from image_classifier import Classifier, Settings
from image_classifier.classifier import APP_ROOT
from image_classifier.errors import ClassifierError
from image_classifier.models.configured_repository import ConfiguredRepository
from image_classifier.models.repository_watcher import RepositoryWatcher
from image_classifier.models.serving_config import ModelConfig, read_model_config
from image_classifier.protocols.tf_serving.errors import Code, ServingError
from model_server.instrumented_service import InstrumentedService
from model_server.metrics import Metrics

__all__ = ["ServedModels"]

logger = logging.getLogger(__name__)


class ServedModels:
    """The models of a configuration, kept in step with it.

    Args:
        settings: of the classifier.
        models: the first configuration.
        metrics: are told of each run, and which models there are.
        poll_seconds: between two scans of the version folders.
        allow_unavailable_labels: a label may stand for a version that is not loaded.
    """

    def __init__(
        self,
        settings: Settings,
        models: Sequence[ModelConfig],
        metrics: Metrics,
        *,
        poll_seconds: float,
        allow_unavailable_labels: bool = False,
    ) -> None:
        self._metrics = metrics
        self._take(models)
        self._allow_unavailable_labels = allow_unavailable_labels
        repository = ConfiguredRepository(settings, app_root=APP_ROOT, models=self._models)
        self._classifier = Classifier(settings, repository=repository)
        self._watcher = RepositoryWatcher(repository, poll_seconds=poll_seconds)
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self.serving = InstrumentedService(
            self._classifier, metrics, allow_unavailable_labels=allow_unavailable_labels
        )

    @property
    def names(self) -> list[str]:
        """The configured models, in order."""
        return [model.name for model in self._models]

    def start(self) -> None:
        """Loads the models; a failure is logged, and retried when the files change."""
        self._watcher.start(self._models)

    def describe(self) -> list[str]:
        """Describes each model in a line: the versions that answer, or the reason why none does."""
        lines = []
        for model in self._models:
            name, base = model.name, model.base_path
            try:
                known = self._classifier.repository.served(name).known()
            except ClassifierError:
                known = []
            loaded = [str(model.version) for model in known if model.is_loaded]
            if loaded:
                lines.append(f"{name}: version {' and '.join(loaded)}")
            failed = [f"{name}: version {m.version}: {m.failure}" for m in known if m.failure]
            lines += failed
            if not loaded and not failed:
                lines.append(f"{name}: there is no version folder yet, such as {base / '1'}")
        return lines

    def is_ready(self) -> bool:
        """Whether each model has a version that answers."""
        return not self._missing()

    def configure(self, models: Sequence[ModelConfig]) -> None:
        """Serves exactly these models from now on; returns when they answer.

        Raises:
            ServingError: a model does not become available, or a label has no version. What
                could be done of the configuration is done, as in TensorFlow Serving.
        """
        with self._lock:
            self._take(models)
            self._watcher.configure(self._models)
        if missing := self._missing():
            listed = ", ".join(missing)
            raise ServingError(Code.UNKNOWN, f"Some models did not become available: {{{listed}}}")
        if self._allow_unavailable_labels:
            return
        for model in models:
            served = self._classifier.repository.served(model.name)
            for version in model.labels.values():
                if not served.can_serve(version):
                    raise ServingError(
                        Code.FAILED_PRECONDITION,
                        f"Request to assign label to version {version} of model {model.name}, "
                        "which is not currently available for inference",
                    )

    def follow(self, path: Path, *, root: Path, poll_seconds: float) -> None:
        """Watches a configuration file and applies its changes."""
        known = path.read_text("utf-8-sig")

        def watch() -> None:
            nonlocal known
            while not self._stopped.wait(poll_seconds):
                try:
                    text = path.read_text("utf-8-sig")
                    if text != known:
                        known = text
                        self.configure(read_model_config(text, where=str(path), root=root))
                        logger.info("%s has changed: serving %s", path, ", ".join(self.names))
                except (OSError, ValueError, ServingError) as exc:
                    logger.error("%s cannot be taken over: %s", path, exc)

        threading.Thread(target=watch, name="watch configuration", daemon=True).start()

    def close(self) -> None:
        """Stops watching."""
        self._stopped.set()
        self._watcher.close()

    def _take(self, models: Sequence[ModelConfig]) -> None:
        self._models = tuple(models)
        self._metrics.know(self.names)

    def _missing(self) -> list[str]:
        missing = []
        for model in self._models:
            try:
                served = self._classifier.repository.served(model.name)
            except ClassifierError:
                missing.append(model.name)
                continue
            current = served.pick()
            if current is None or not current.is_loaded:
                missing.append(model.name)
        return missing
