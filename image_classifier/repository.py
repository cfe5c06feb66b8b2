"""The models there are: names and versions under ``MODELS_DIR``, and the pair in ``classify/``."""

from __future__ import annotations

import re
import threading
from pathlib import Path

from image_classifier.engines import EngineOptions, weights_files
from image_classifier.errors import ModelError, UnknownModel
from image_classifier.labels import LABELS_FILE
from image_classifier.model import Model
from image_classifier.settings import Settings

__all__ = ["DEMO_MODEL", "Repository"]

DEMO_MODEL = "digits"
# Who follows the tutorial drops model.pb and labels.txt into the function's own folder.
TUTORIAL_MODEL = "classify"

# Also keeps a name from leaving MODELS_DIR, and fit for a response header.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_VERSION = re.compile(r"[0-9]{1,18}")


class Repository:
    """Finds models by name and version. Folders are looked at anew on each call.

    Args:
        settings: for MODELS_DIR, DEFAULT_MODEL and ENGINE.
        app_root: what MODELS_DIR is relative to, and where ``classify/`` is.
    """

    def __init__(self, settings: Settings, *, app_root: Path) -> None:
        self._root = app_root / settings.models_dir
        self._tutorial = app_root / TUTORIAL_MODEL
        self._engine = settings.engine
        self._options = EngineOptions(settings.engine_threads, settings.onnx_providers)
        self._configured_default = settings.default_model
        self._lock = threading.Lock()
        self._models: dict[tuple[str, int], Model] = {}

    @property
    def default_name(self) -> str:
        """The model for callers who name none."""
        if self._configured_default:
            return self._configured_default
        return TUTORIAL_MODEL if self._has_tutorial_model() else DEMO_MODEL

    def names(self) -> list[str]:
        """The names of all models that have a version, sorted."""
        folders = self._root.iterdir() if self._root.is_dir() else ()
        names = {path.name for path in folders if self.versions(path.name)}
        if self._has_tutorial_model():
            names.add(TUTORIAL_MODEL)
        return sorted(names)

    def versions(self, name: str) -> list[int]:
        """The versions of one model, highest first; empty if there is no such model."""
        if name == TUTORIAL_MODEL and self._has_tutorial_model():
            return [1]
        folder = self._root / name
        if not _NAME.fullmatch(name) or not folder.is_dir():
            return []
        found = (path for path in folder.iterdir() if _VERSION.fullmatch(path.name))
        return sorted((int(path.name) for path in found if path.is_dir()), reverse=True)

    def get(self, name: str | None = None, version: int | None = None) -> Model:
        """Finds a model without loading it.

        Args:
            name: None means the default model.
            version: None means the highest.

        Raises:
            UnknownModel: the caller named a model or version that is not there.
            ModelError: the caller named none and the default model is not there.
        """
        chosen = name or self.default_name
        versions = self.versions(chosen)
        if not versions:
            raise self._no_such_model(chosen, named=bool(name))
        if version is None:
            version = versions[0]
        elif version not in versions:
            listed = ", ".join(map(str, versions))
            raise UnknownModel(f"Model {chosen!r} has no version {version}; it has: {listed}.")
        return self._model(chosen, version)

    def all(self) -> dict[str, list[Model]]:
        """Every model's versions, highest first, by name."""
        return {
            name: [self._model(name, version) for version in self.versions(name)]
            for name in self.names()
        }

    def _model(self, name: str, version: int) -> Model:
        with self._lock:
            key = (name, version)
            if key not in self._models:
                folder = self._folder(name, version)
                self._models[key] = Model(
                    name, version, folder, engine=self._engine, options=self._options
                )
            return self._models[key]

    def _folder(self, name: str, version: int) -> Path:
        if name == TUTORIAL_MODEL and self._has_tutorial_model():
            return self._tutorial
        folders = (self._root / name).iterdir()
        return next(path for path in folders if path.name.isdecimal() and int(path.name) == version)

    def _has_tutorial_model(self) -> bool:
        # One file of the two is enough: the other is then reported missing, not overlooked.
        return any((self._tutorial / file).is_file() for file in (LABELS_FILE, *weights_files()))

    def _no_such_model(self, name: str, *, named: bool) -> UnknownModel | ModelError:
        there_are = ", ".join(self.names()) or "none"
        folder = self._root / name
        hint = ""
        if _NAME.fullmatch(name) and any((folder / file).is_file() for file in weights_files()):
            hint = f" {folder} has the files, but they belong in a version folder: {folder / '1'}."
        if named:
            return UnknownModel(f"There is no model {name!r}; there are: {there_are}.{hint}")
        return ModelError(
            f"The default model {name!r} is not in {self._root}; there are: {there_are}. Put it "
            f"there as {name}/1/, or set DEFAULT_MODEL.{hint}"
        )
