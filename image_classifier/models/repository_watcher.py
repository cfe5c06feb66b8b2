"""Loads the models of a configuration before requests need them, and notices new versions."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

from image_classifier.models.configured_repository import ConfiguredRepository
from image_classifier.models.served_model import ServedModel
from image_classifier.models.serving_config import ModelConfig

__all__ = ["RepositoryWatcher"]

logger = logging.getLogger(__name__)


class RepositoryWatcher:
    """Keeps the models of a repository loaded as its configuration says.

    Args:
        repository: serves the models.
        poll_seconds: between two scans of the folders; 0 or less: one scan, and no more.
    """

    def __init__(self, repository: ConfiguredRepository, *, poll_seconds: float = 1.0) -> None:
        self._repository = repository
        self._poll_seconds = poll_seconds
        self._stopped = threading.Event()
        self._lock = threading.Lock()  # a scan and a new configuration: one after the other
        self._models: list[ServedModel] = []
        self._thread: threading.Thread | None = None

    def start(self, models: Sequence[ModelConfig]) -> None:
        """Loads the wanted versions, then goes on scanning in a thread of its own."""
        self.configure(models)
        if self._poll_seconds > 0:
            self._thread = threading.Thread(target=self._watch, name="watch models", daemon=True)
            self._thread.start()

    def configure(self, models: Sequence[ModelConfig]) -> None:
        """Serves exactly these models from now on; returns when they are loaded, or failed to.

        Models that were served before and are not listed any more answer until then.
        """
        with self._lock:
            self._models, gone = self._repository.configure(models)
            for model in self._models:
                model.load_wanted()
            for model in gone:
                model.unload_all()

    def close(self) -> None:
        """Stops scanning; loaded models stay loaded."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()

    def _watch(self) -> None:
        while not self._stopped.wait(self._poll_seconds):
            with self._lock:
                for model in self._models:
                    try:
                        model.load_wanted()
                    except Exception:  # an error in one folder must not stop the scans
                        logger.exception("cannot scan the versions of %s", model.name)
