"""The models there are: names and versions under ``MODELS_DIR``, and the pair in ``classify/``.

In the Functions app a model is loaded when it is first asked for. ``RepositoryWatcher`` has all
that is wanted loaded beforehand.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

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
# Who follows the tutorial drops model.pb and labels.txt into the function's own folder.
TUTORIAL_MODEL = "classify"

# What was found counts as long as the folders' time stamps stay the same; but not when these are
# younger than this, for then a folder may change once more within the clock's grain (2 s on FAT).
_GRAIN_SECONDS = 3
# Nor longer than this: some network shares do not change a folder's time stamp at all.
_TRUSTED_SECONDS = 1.0


class _Known(NamedTuple):
    """A model that was looked at, and what says whether looking again would find the same."""

    served: ServedModel
    stamps: tuple[int, ...]
    until: float


class Repository:
    """Finds models by name and version. What changes in the folders is seen within a second.

    Args:
        settings: for MODELS_DIR and its companions, DEFAULT_MODEL and ENGINE.
        app_root: what MODELS_DIR is relative to, and where ``classify/`` is.
        models: policies and labels of models, or folders elsewhere.
        only_these: no model but those in ``models`` is served, and only ``watch`` loads any.

    Raises:
        SettingsError: MODELS_DIR is an address that cannot be used.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        app_root: Path,
        models: Sequence[ModelConfig] = (),
        only_these: bool = False,
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
        self._only_these = only_these
        self._lock = threading.Lock()
        self._configs: dict[str, ModelConfig] = {model.name: model for model in models}
        self._served: dict[str, ServedModel] = {}
        self._known: dict[str | None, _Known] = {}

    @property
    def display_name(self) -> str:
        """The folder or the address that MODELS_DIR names, fit to be shown."""
        return self._store.display_name

    @property
    def default_name(self) -> str:
        """The model for callers who name none."""
        if self._configured_default:
            return self._configured_default
        if self._only_these:
            return next(iter(self._configs), DEMO_MODEL)
        return TUTORIAL_MODEL if self._has_tutorial_model() else DEMO_MODEL

    def names(self) -> list[str]:
        """The names of all models that have a version, sorted."""
        names = set(self._configs)
        if not self._only_these:
            names.update([TUTORIAL_MODEL], self._store.names())
        return [name for name in sorted(names) if self._folders(name)]

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

        Raises:
            UnknownModel: as ``get``.
            ModelError: as ``get``, or it cannot be loaded.
        """
        served = self.served(name)
        if version is None:
            loaded = served.load()
        else:
            loaded = served.load_version(version, any_version=not self._only_these)
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
        if self._only_these:
            served = self._served.get(name or self.default_name)
            if served is None:
                raise self._no_such_model(name or self.default_name, named=bool(name))
            return served
        known = self._known.get(name)
        if (
            known
            and time.monotonic() < known.until
            and self._stamps(known.served.name) == known.stamps
        ):
            return known.served
        until = time.monotonic() + _TRUSTED_SECONDS
        chosen = name or self.default_name
        if chosen not in self._configs and not MODEL_NAME.fullmatch(chosen):
            # It cannot be there, and no path is made of what a caller may have made up.
            raise self._no_such_model(chosen, named=bool(name))
        stamps = self._stamps(chosen)  # before it is looked for: a change after that shows
        served = self._look_at(chosen)
        if served is None:
            raise self._no_such_model(chosen, named=bool(name))
        if time.time() - max(stamps) / 1e9 > _GRAIN_SECONDS:
            self._known[name] = _Known(served, stamps, until)
        return served

    def all(self) -> dict[str, list[Model]]:
        """Every model's versions, highest first, by name."""
        found = ((name, self._look_at(name)) for name in self.names())
        return {name: list(served.versions().values()) for name, served in found if served}

    def configure(
        self, models: Sequence[ModelConfig]
    ) -> tuple[list[ServedModel], list[ServedModel]]:
        """Changes which models are served and how; loads and unloads nothing.

        Returns:
            The models that are served from now on, and those that are not any more.
        """
        with self._lock:
            before = self._configs
            self._configs = {model.name: model for model in models}
            gone = [
                self._served.pop(name)
                for name in list(self._served)
                if _base_path(before.get(name)) != _base_path(self._configs.get(name))
            ]
            for name, model in self._configs.items():
                if name in self._served:
                    self._served[name].set_policy(model.policy, model.labels)
        return [self._served_model(name) for name in self._configs], gone

    def _look_at(self, name: str) -> ServedModel | None:
        """The model, with what is in its folders now; None if they hold no version."""
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

                self._served[name] = ServedModel(
                    name,
                    lambda: self._folders(name),
                    make,
                    policy=config.policy if config else Latest(),
                    labels=config.labels if config else {},
                    loads_itself=not self._only_these,
                )
            return self._served[name]

    def _folders(self, name: str) -> dict[int, Path]:
        """The folder of each version of one model, the highest version first."""
        config = self._configs.get(name)
        if config is None:
            if self._only_these or not MODEL_NAME.fullmatch(name):
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
        trouble = None if self._only_these else self._store.error()
        if trouble:  # it may well be there
            return ModelError(f"{trouble} Downloaded before: {there_are}.")
        hint = self._store.not_found_hint(name) if MODEL_NAME.fullmatch(name) else ""
        if named:
            return UnknownModel(f"There is no model {name!r}; there are: {there_are}.{hint}")
        return ModelError(
            f"The default model {name!r} is not in {self._store.display_name}; there are: "
            f"{there_are}. Put it there as {name}/1/, or set DEFAULT_MODEL.{hint}"
        )


def _base_path(config: ModelConfig | None) -> Path | None:
    return config.base_path if config else None
