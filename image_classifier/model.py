"""A model folder on disk: its labels, its engine, its contract; checked and loaded once."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from image_classifier.contract import CHANNELS, read_contract
from image_classifier.engines import Engine, EngineOptions, choose_engine
from image_classifier.errors import ModelError
from image_classifier.labels import read_labels

__all__ = ["LoadedModel", "Model"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoadedModel:
    """A model that is ready to run: ``engine.run`` gives one score for each of ``labels``."""

    labels: tuple[str, ...]
    engine: Engine
    engine_name: str


class Model:
    """One version of a model: a folder with weights and ``labels.txt``.

    Attributes:
        name: of the model.
        version: 0 or more.
        folder: where its files are.
    """

    def __init__(
        self,
        name: str,
        version: int,
        folder: Path,
        *,
        engine: str = "auto",
        options: EngineOptions = EngineOptions(),  # noqa: B008 - frozen
    ) -> None:
        self.name = name
        self.version = version
        self.folder = folder
        self._engine = engine
        self._options = options
        self._lock = threading.Lock()
        self._loaded: LoadedModel | None = None
        self._failure: ModelError | None = None
        self._failed_files: object = None

    @property
    def state(self) -> str:
        """``available`` (not loaded yet), ``loaded`` or ``failed``."""
        if self._loaded:
            return "loaded"
        return "failed" if self._failure else "available"

    @property
    def failure(self) -> str | None:
        """Why the last try to load it failed, or None."""
        return self._failure.message if self._failure else None

    def load(self) -> LoadedModel:
        """Loads the model when first called; later calls and other threads get the same one.

        A model that failed is tried again only when its files have changed.

        Raises:
            ModelError: it cannot be loaded; the message names the file and the reason.
        """
        if self._loaded:  # without the lock: requests never wait for it once the model is there
            return self._loaded
        with self._lock:
            if self._loaded:
                return self._loaded
            files = self._files()
            if self._failure and files == self._failed_files:
                raise ModelError(self._failure.message)
            try:
                self._loaded, self._failure = self._load(), None
            except ModelError as exc:
                self._failure, self._failed_files = exc, files
                logger.error("model %s/%s: %s", self.name, self.version, exc.message)
                raise
            return self._loaded

    def _load(self) -> LoadedModel:
        started = time.perf_counter()
        labels = read_labels(self.folder)
        kind = choose_engine(self.folder, self._engine)
        weights = self.folder / kind.weights
        sidecar = self.folder / "model.json"
        contract = read_contract(sidecar) if sidecar.is_file() else None
        engine = kind.load(weights, contract, self._options)
        _check_output(engine, weights, labels)
        logger.info(
            "loaded %s/%s with %s in %.1f s",
            self.name,
            self.version,
            kind.name,
            time.perf_counter() - started,
        )
        return LoadedModel(labels, engine, kind.name)

    def _files(self) -> object:
        """What tells whether somebody has changed the folder."""
        return sorted(
            (path.name, stat.st_mtime_ns, stat.st_size)
            for path in self.folder.glob("*")
            if (stat := path.stat())
        )


def _check_output(engine: Engine, weights: Path, labels: tuple[str, ...]) -> None:
    """Runs the graph once on black, which also warms it, and compares the width."""
    contract = engine.contract
    shape = (1, contract.height, contract.width, CHANNELS[contract.channels])
    scores = engine.run(np.zeros(shape, np.float32))
    if scores.ndim != 2 or scores.shape[0] != 1:
        raise ModelError(
            f"{weights} is not a classifier: its output {contract.output_name} has shape "
            f"{list(scores.shape)}, as object detection exports have, not [1, number of labels]."
        )
    if scores.shape[1] != len(labels):
        raise ModelError(
            f"{weights} gives {scores.shape[1]} scores but labels.txt beside it has "
            f"{len(labels)} labels: there must be one label for each score."
        )
