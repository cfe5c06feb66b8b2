"""Checks, loads and unloads a version folder: labels, engine and input specification."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
import weakref
from enum import Enum
from pathlib import Path

from image_classifier.concurrency.allocator import trim_heap
from image_classifier.engines.base import Engine, EngineOptions, SavedModelEngine
from image_classifier.engines.registry import SAVED_MODEL, EngineKind, import_engine
from image_classifier.errors import ModelError
from image_classifier.model_files.cvexport_manifest import read_export_manifest
from image_classifier.model_files.input_spec import INPUT_SPEC_FILE, InputSpec, read_input_spec
from image_classifier.model_files.labels import read_labels
from image_classifier.model_files.signatures import DEFAULT_SIGNATURE
from image_classifier.model_files.signatures_json import read_default_signature
from image_classifier.models.image_signatures import check_runnable, image_signatures
from image_classifier.models.load_checks import check_output, warm_up
from image_classifier.models.loaded_model import LoadedModel
from image_classifier.stores.base import Origin

__all__ = ["Model", "ModelRetired", "ModelState", "needs_labels"]

logger = logging.getLogger(__name__)


class ModelState(Enum):
    """The state of one version. Its value is the text in ``/api/status``."""

    NOT_LOADED = "available"
    LOADING = "loading"
    LOADED = "loaded"
    FAILED = "failed"
    UNLOADING = "unloading"  # requests still use it
    UNLOADED = "unloaded"


class ModelRetired(ModelError):
    """The version was unloaded meanwhile; a new lookup of the model finds its successor."""


class Model:
    """One version of a model: a folder with weights and ``labels.txt``, loaded once.

    Attributes:
        name: of the model.
        version: 0 or more.
        folder: holds its files.
        state: whether it is loaded.
    """

    def __init__(
        self,
        name: str,
        version: int,
        folder: Path,
        *,
        engine: str = "auto",
        options: EngineOptions = EngineOptions(),  # noqa: B008 - frozen
        origin: Origin | None = None,
    ) -> None:
        self.name = name
        self.version = version
        self.folder = folder
        self.state = ModelState.NOT_LOADED
        self._engine = engine
        self._options = options
        self._origin = origin
        self._lock = threading.Lock()
        self._loaded: LoadedModel | None = None
        self._failure: ModelError | None = None
        self._failed_files: object = None

    @property
    def failure(self) -> str | None:
        """Why the last attempt to load it failed, or None."""
        return self._failure.message if self._failure else None

    @property
    def is_local(self) -> bool:
        """Whether its files are on disk, and need not be fetched first."""
        return self._origin is None or self.folder.is_dir()

    @property
    def is_loaded(self) -> bool:
        """Whether ``load`` returns at once."""
        return self._loaded is not None

    @property
    def provider(self) -> str | None:
        """See ``LoadedModel.provider``; None while it is not loaded."""
        loaded = self._loaded
        return loaded.provider if loaded else None

    @property
    def is_retired(self) -> bool:
        """Whether it was unloaded. It is never loaded again, but another ``Model`` can be made."""
        return self.state in (ModelState.UNLOADING, ModelState.UNLOADED)

    def is_broken(self) -> bool:
        """Whether it failed to load, and its files have not changed since then."""
        return self._failure is not None and self._files() == self._failed_files

    def load(self) -> LoadedModel:
        """Loads the model on the first call; later calls and other threads get the same one.

        A model that failed is loaded again only when its files have changed.

        Returns:
            The loaded model, which stays loaded while the caller holds it.

        Raises:
            ModelError: it cannot be loaded; the message names the file and the reason.
            ModelRetired: it was unloaded.
        """
        loaded = self._loaded
        if loaded:  # without the lock: requests never wait for it once the model is loaded
            return loaded
        with self._lock:
            if self._loaded:
                return self._loaded
            if self.is_retired:
                raise ModelRetired(f"Version {self.version} of {self.name!r} was unloaded.")
            files = self._files()
            if self._failure and files == self._failed_files:
                raise ModelError(self._failure.message)
            self.state = ModelState.LOADING
            try:
                self._loaded, self._failure = self._load(), None
                self.state = ModelState.LOADED
            except ModelError as exc:
                self._failure, self._failed_files = exc, files
                self.state = ModelState.FAILED
                logger.error("model %s/%s: %s", self.name, self.version, exc.message)
                raise
            except BaseException:
                self.state = ModelState.NOT_LOADED
                raise
            return self._loaded

    def unload(self) -> None:
        """Frees the model as soon as no request uses it any more."""
        with self._lock:
            loaded, self._loaded = self._loaded, None
            self.state = ModelState.UNLOADING if loaded else ModelState.UNLOADED
            if loaded is None:
                return
            # Requests hold the LoadedModel; after the last reference, nothing runs any more.
            ended = weakref.finalize(loaded, self._ended, loaded.image_engine, loaded.saved_model)
            ended.atexit = False

    def _ended(self, *engines: object) -> None:
        """Called by the thread that drops the last reference; frees the engines in another."""
        threading.Thread(
            target=self._free, args=([*engines],), name=f"unload {self.name}", daemon=True
        ).start()

    def _free(self, engines: list[object]) -> None:
        while engines:  # emptied, so that nothing holds them when the heap is trimmed
            _close(engines.pop(0))
        trim_heap()
        self.state = ModelState.UNLOADED
        logger.info("unloaded %s/%s", self.name, self.version)

    def _load(self) -> LoadedModel:
        if self._origin:
            self._origin.fetch()
        started = time.perf_counter()
        kind, weights = import_engine(self.folder, self._engine)
        if weights.name == SAVED_MODEL:
            loaded = self._load_saved_model(kind, weights)
        else:
            labels = read_labels(self.folder)
            engine = kind.load(weights, self._input_spec(), self._options)
            check_output(engine, weights, labels)
            loaded = self._loaded_model(kind, labels, engine)
        took = time.perf_counter() - started
        logger.info("loaded %s/%s with %s in %.1f s", self.name, self.version, kind.name, took)
        return loaded

    def _load_saved_model(self, kind: EngineKind, weights: Path) -> LoadedModel:
        input_spec = self._input_spec()
        labels = read_labels(self.folder) if input_spec else ()
        saved = kind.load_saved_model(weights, self._options)
        try:
            if input_spec is None:
                return self._loaded_model(kind, saved=saved)
            engine = saved.classifier(input_spec)
            check_output(engine, weights, labels)
            warm_up(saved)
        except BaseException:
            saved.close()
            raise
        return self._loaded_model(kind, labels, engine, saved)

    def _loaded_model(
        self,
        kind: EngineKind,
        labels: tuple[str, ...] = (),
        engine: Engine | None = None,
        saved: SavedModelEngine | None = None,
    ) -> LoadedModel:
        signatures = image_signatures(engine.input_spec, labels) if engine else {}
        if engine and (default := read_default_signature(self.folder)):
            check_runnable(default, self.folder)
            signatures[DEFAULT_SIGNATURE] = default
        if saved:
            signatures |= saved.signatures
        manifest = read_export_manifest(self.folder)
        return LoadedModel(
            self.name,
            self.version,
            kind.name,
            labels,
            engine,
            saved,
            signatures,
            manifest.iteration_id if manifest else None,
        )

    def _input_spec(self) -> InputSpec | None:
        sidecar = self.folder / INPUT_SPEC_FILE
        return read_input_spec(sidecar) if sidecar.is_file() else None

    def _files(self) -> object:
        """A value that changes when the folder or its origin changes."""
        if self._origin:
            return self._origin.state()
        stamps = []
        for path in self.folder.glob("*"):
            with contextlib.suppress(OSError):  # it may be removed meanwhile
                stat = path.stat()
                stamps.append((path.name, stat.st_mtime_ns, stat.st_size))
        return sorted(stamps)


def _close(engine: object) -> None:
    if hasattr(engine, "close"):
        engine.close()


def needs_labels(weights: Path) -> bool:
    """Whether labels.txt is required: not beside a SavedModel without a model.json."""
    return weights.name != SAVED_MODEL or (weights.parent / INPUT_SPEC_FILE).is_file()
