"""The models there are: names and versions under ``MODELS_DIR``, and the pair in ``classify/``."""

from __future__ import annotations

import contextlib
import os
import re
import threading
import time
from pathlib import Path
from typing import NamedTuple

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

# What was found counts as long as the folders' time stamps stay the same; but not when these are
# younger than this, for then a folder may change once more within the clock's grain (2 s on FAT).
_GRAIN_SECONDS = 3
# Nor longer than this: some network shares do not change a folder's time stamp at all.
_TRUSTED_SECONDS = 1.0


class _Known(NamedTuple):
    """A model that was found, and what says whether looking again would find the same."""

    model: Model
    stamps: tuple[int, ...]
    until: float


class Repository:
    """Finds models by name and version. What changes in the folders is seen within a second.

    Args:
        settings: for MODELS_DIR, DEFAULT_MODEL and ENGINE.
        app_root: what MODELS_DIR is relative to, and where ``classify/`` is.
    """

    def __init__(self, settings: Settings, *, app_root: Path) -> None:
        self._root = app_root / settings.models_dir
        self._tutorial = app_root / TUTORIAL_MODEL
        # As text: each request asks for them, and for a Path it takes three times as long.
        self._root_text, self._tutorial_text = str(self._root), str(self._tutorial)
        self._engine = settings.engine
        self._options = EngineOptions(settings.engine_threads, settings.onnx_providers)
        self._configured_default = settings.default_model
        self._lock = threading.Lock()
        self._models: dict[tuple[str, int], Model] = {}
        self._known: dict[tuple[str | None, int | None], _Known] = {}

    @property
    def default_name(self) -> str:
        """The model for callers who name none."""
        if self._configured_default:
            return self._configured_default
        return TUTORIAL_MODEL if self._has_tutorial_model() else DEMO_MODEL

    def names(self) -> list[str]:
        """The names of all models that have a version, sorted."""
        return list(self._all_folders())

    def versions(self, name: str) -> list[int]:
        """The versions of one model, highest first; empty if there is no such model."""
        return list(self._folders(name))

    def get(self, name: str | None = None, version: int | None = None) -> Model:
        """Finds a model without loading it.

        Args:
            name: None means the default model.
            version: None means the highest.

        Raises:
            UnknownModel: the caller named a model or version that is not there.
            ModelError: the caller named none and the default model is not there.
        """
        known = self._known.get((name, version))
        if (
            known
            and time.monotonic() < known.until
            and self._stamps(known.model.name) == known.stamps
        ):
            return known.model
        until = time.monotonic() + _TRUSTED_SECONDS
        chosen = name or self.default_name
        if not _NAME.fullmatch(chosen):
            # It cannot be there, and no path is made of what a caller may have made up.
            return self._find(chosen, version, named=bool(name))
        stamps = self._stamps(chosen)  # before it is looked for: a change after that shows
        model = self._find(chosen, version, named=bool(name))
        if time.time() - max(stamps) / 1e9 > _GRAIN_SECONDS:
            self._known[name, version] = _Known(model, stamps, until)
        return model

    def _find(self, chosen: str, version: int | None, *, named: bool) -> Model:
        folders = self._folders(chosen)
        if not folders:
            raise self._no_such_model(chosen, named=named)
        if version is None:
            version = next(iter(folders))
        elif version not in folders:
            listed = ", ".join(map(str, folders))
            raise UnknownModel(f"Model {chosen!r} has no version {version}; it has: {listed}.")
        return self._model(chosen, version, folders[version])

    def all(self) -> dict[str, list[Model]]:
        """Every model's versions, highest first, by name."""
        return {
            name: [self._model(name, version, folder) for version, folder in folders.items()]
            for name, folders in self._all_folders().items()
        }

    def _model(self, name: str, version: int, folder: Path) -> Model:
        with self._lock:
            key = (name, version)
            if key not in self._models:
                self._models[key] = Model(
                    name, version, folder, engine=self._engine, options=self._options
                )
            return self._models[key]

    def _all_folders(self) -> dict[str, dict[int, Path]]:
        """``_folders`` of every model that has a version, sorted by name."""
        names = {TUTORIAL_MODEL}
        with contextlib.suppress(OSError):  # there need not be a MODELS_DIR
            names.update(os.listdir(self._root))
        found = ((name, self._folders(name)) for name in sorted(names))
        return {name: folders for name, folders in found if folders}

    def _folders(self, name: str) -> dict[int, Path]:
        """The folder of each version of one model, the highest version first."""
        if name == TUTORIAL_MODEL and self._has_tutorial_model():
            return {1: self._tutorial}
        if not _NAME.fullmatch(name):
            return {}
        try:
            with os.scandir(self._root / name) as entries:
                found = [
                    (int(entry.name), entry.path)
                    for entry in entries
                    if _VERSION.fullmatch(entry.name) and entry.is_dir()
                ]
        except OSError:
            return {}
        return {version: Path(path) for version, path in sorted(found, reverse=True)}

    def _stamps(self, name: str) -> tuple[int, ...]:
        """When files were last added to or removed from the folders that decide, in ns."""
        return tuple(map(_changed_ns, (f"{self._root_text}{os.sep}{name}", self._tutorial_text)))

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


def _changed_ns(folder: str) -> int:
    try:
        return os.stat(folder).st_mtime_ns
    except OSError:
        return 0  # there need not be such a folder
