"""Finds models by name and version: under ``MODELS_DIR``, and the pair in ``classify/``.

A model is loaded when a request first needs it. ``ConfiguredRepository`` serves a fixed list of
models instead, which a ``RepositoryWatcher`` loads beforehand.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple

from image_classifier.engines.base import EngineOptions
from image_classifier.engines.registry import weights_files
from image_classifier.errors import ModelError, UnknownModel
from image_classifier.model_files.labels import LABELS_FILE
from image_classifier.model_files.names import MODEL_NAME
from image_classifier.models.loaded_model import LoadedModel
from image_classifier.models.model import Model
from image_classifier.models.served_model import ServedModel
from image_classifier.models.serving_config import Latest, ModelConfig
from image_classifier.settings import Settings
from image_classifier.stores.factory import open_store
from image_classifier.stores.folder_store import changed_ns, folders_in

__all__ = ["DEMO_MODEL", "Repository"]

DEMO_MODEL = "digits"
# The tutorial has its readers drop model.pb and labels.txt into the function's own folder.
TUTORIAL_MODEL = "classify"

# A lookup is reused as long as the folders' time stamps stay the same; but not when these are
# younger than this, for then a folder may change once more within the clock's grain (2 s on FAT).
_GRAIN_SECONDS = 3
# Nor is it reused longer than this: some network shares never change a folder's time stamp.
_TRUSTED_SECONDS = 1.0


class _Lookup(NamedTuple):
    """A model that was looked up, and the conditions under which a new lookup would be the same."""

    served: ServedModel
    stamps: tuple[int, ...]
    until: float


class Repository:
    """Finds models by name and version, and loads them lazily. Safe to share among threads.

    A change in the folders is noticed within a second.

    Args:
        settings: MODELS_DIR and its companions, DEFAULT_MODEL and ENGINE.
        app_root: the folder that MODELS_DIR is relative to, and that has ``classify/``.
        models: policies and labels of models, or their folders elsewhere.

    Raises:
        SettingsError: MODELS_DIR is an address that cannot be used.
    """

    _model_class: ClassVar[type[ServedModel]] = ServedModel
    # Whether requests may name a version that the policy does not want.
    _any_version: ClassVar[bool] = True

    def __init__(
        self,
        settings: Settings,
        *,
        app_root: Path,
        models: Sequence[ModelConfig] = (),
    ) -> None:
        self._store = open_store(settings, app_root)
        self._tutorial = app_root / TUTORIAL_MODEL
        # As text: each request asks for it, and for a Path it takes three times as long.
        self._tutorial_text = str(self._tutorial)
        self._engine = settings.engine
        self._options = EngineOptions(
            settings.engine_threads,
            settings.onnx_providers,
            settings.onnx_provider_options,
            settings.openvino_device,
        )
        self._configured_default = settings.default_model
        self._lock = threading.Lock()
        self._configs: dict[str, ModelConfig] = {model.name: model for model in models}
        self._served: dict[str, ServedModel] = {}
        self._lookups: dict[str | None, _Lookup] = {}

    @property
    def display_name(self) -> str:
        """The folder or the address that MODELS_DIR names, fit to be shown."""
        return self._store.display_name

    @property
    def default_name(self) -> str:
        """The model of requests that name none."""
        if self._configured_default:
            return self._configured_default
        return TUTORIAL_MODEL if self._has_tutorial_model() else DEMO_MODEL

    def names(self) -> list[str]:
        """The names of all models that have a version, sorted."""
        return [name for name in sorted(self._candidates()) if self._folders(name)]

    def _candidates(self) -> set[str]:
        """The names that may be those of models."""
        return {TUTORIAL_MODEL, *self._configs, *self._store.names()}

    def versions(self, name: str) -> list[int]:
        """The versions of one model on disk, highest first; empty if there is no such model."""
        return list(self._folders(name))

    def get(self, name: str | None = None, version: int | None = None) -> Model:
        """Finds a model without loading it.

        Args:
            name: None means the default model.
            version: None means the one that answers now, or is loaded next.

        Raises:
            UnknownModel: the caller named a model or version that is not there.
            ModelError: the caller named none and the default model is not there.
        """
        served = self.served(name)
        model = served.pick() if version is None else served.versions().get(version)
        if model is None:
            raise self._no_such(served, name, version)
        return model

    def load(self, name: str | None = None, version: int | None = None) -> LoadedModel:
        """A model that is ready to run, loaded now if need be.

        Args:
            name: None means the default model.
            version: None means the highest that can be loaded; while a new one is being loaded,
                the one before it.

        Returns:
            The model, which stays loaded while the caller holds it.

        Raises:
            UnknownModel: as ``get``.
            ModelError: as ``get``, or it cannot be loaded.
        """
        served = self.served(name)
        if version is None:
            loaded = served.load()
        else:
            loaded = served.load_version(version, any_version=self._any_version)
        if loaded is None:
            raise self._no_such(served, name, version)
        return loaded

    def served(self, name: str | None = None) -> ServedModel:
        """One model with all its versions.

        Args:
            name: None means the default model.

        Raises:
            UnknownModel: there is no such model.
            ModelError: the caller named none and the default model is not there.
        """
        lookup = self._lookups.get(name)
        if (
            lookup
            and time.monotonic() < lookup.until
            and self._stamps(lookup.served.name) == lookup.stamps
        ):
            return lookup.served
        until = time.monotonic() + _TRUSTED_SECONDS
        chosen = name or self.default_name
        if chosen not in self._configs and not MODEL_NAME.fullmatch(chosen):
            # It cannot be there, and no path is made of what a caller may have made up.
            raise self._no_such_model(chosen, named=bool(name))
        stamps = self._stamps(chosen)  # before the lookup: a later change shows
        served = self._rescan(chosen)
        if served is None:
            raise self._no_such_model(chosen, named=bool(name))
        if time.time() - max(stamps) / 1e9 > _GRAIN_SECONDS:
            self._lookups[name] = _Lookup(served, stamps, until)
        return served

    def all(self) -> dict[str, list[Model]]:
        """Every model's versions, highest first, by name."""
        models = ((name, self._rescan(name)) for name in self.names())
        return {name: list(served.versions().values()) for name, served in models if served}

    def _rescan(self, name: str) -> ServedModel | None:
        """The model with the versions that its folders hold now; None if they hold none."""
        known = self._served.get(name)
        if known is not None:
            known.refresh()
        elif self._folders(name):
            known = self._served_model(name)
        return known if known is not None and known.versions() else None

    def _served_model(self, name: str) -> ServedModel:
        with self._lock:
            if name not in self._served:
                config = self._configs.get(name)

                def make(version: int, folder: Path) -> Model:
                    return Model(
                        name,
                        version,
                        folder,
                        engine=self._engine,
                        options=self._options,
                        origin=self._store.origin(folder),
                    )

                self._served[name] = self._model_class(
                    name,
                    lambda: self._folders(name),
                    make,
                    policy=config.policy if config else Latest(),
                    labels=config.labels if config else {},
                )
            return self._served[name]

    def _folders(self, name: str) -> dict[int, Path]:
        """The folder of each version of one model, the highest version first."""
        config = self._configs.get(name)
        if config is None:
            if not MODEL_NAME.fullmatch(name):
                return {}
            if name == TUTORIAL_MODEL and self._has_tutorial_model():
                return {1: self._tutorial}
        return folders_in(config.base_path) if config else self._store.versions(name)

    def _stamps(self, name: str) -> tuple[int, ...]:
        """When files were last added to or removed from the folders that decide, in ns."""
        config = self._configs.get(name)
        stamp = changed_ns(str(config.base_path)) if config else self._store.last_changed_ns(name)
        return (stamp, changed_ns(self._tutorial_text))

    def _has_tutorial_model(self) -> bool:
        # One file of the two is enough: the other is then reported missing, not overlooked.
        return any((self._tutorial / file).is_file() for file in (LABELS_FILE, *weights_files()))

    def _no_such(
        self, served: ServedModel, name: str | None, version: int | None
    ) -> UnknownModel | ModelError:
        if version is None:
            return self._no_such_model(served.name, named=bool(name))
        listed = ", ".join(map(str, served.versions())) or "none"
        return UnknownModel(f"Model {served.name!r} has no version {version}; it has: {listed}.")

    def _no_such_model(self, name: str, *, named: bool) -> UnknownModel | ModelError:
        there_are = ", ".join(self.names()) or "none"
        store_error = self._store_error()
        if store_error:  # it may well be there
            return ModelError(f"{store_error} Downloaded before: {there_are}.")
        hint = self._store.not_found_hint(name) if MODEL_NAME.fullmatch(name) else ""
        if named:
            return UnknownModel(f"There is no model {name!r}; there are: {there_are}.{hint}")
        return ModelError(
            f"The default model {name!r} is not in {self._store.display_name}; there are: "
            f"{there_are}. Put it there as {name}/1/, or set DEFAULT_MODEL.{hint}"
        )

    def _store_error(self) -> str | None:
        return self._store.error()
