"""Chooses which versions of one model are loaded, and which of them answers.

A new version takes over only when it is loaded; until then, and if it never loads, the old one
answers. A version that is not wanted any more is unloaded when its last request ends.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from image_classifier.errors import ModelError
from image_classifier.models.loaded_model import LoadedModel
from image_classifier.models.model import Model, ModelRetired, ModelState
from image_classifier.models.serving_config import Latest, VersionPolicy

__all__ = ["ServedModel"]

logger = logging.getLogger(__name__)


class ServedModel:
    """One model and its versions, loaded by the requests that need them.

    A new version is loaded in the background as soon as it is noticed, if another one answers.
    Safe to share among threads.

    Args:
        name: of the model.
        folders: finds the version folders: version -> folder.
        make: makes a ``Model`` of a version and its folder.
        policy: chooses the wanted versions.
        labels: version labels.
    """

    def __init__(
        self,
        name: str,
        folders: Callable[[], dict[int, Path]],
        make: Callable[[int, Path], Model],
        *,
        policy: VersionPolicy = Latest(),  # noqa: B008 - frozen
        labels: Mapping[str, int] | None = None,
    ) -> None:
        self.name = name
        self.labels: Mapping[str, int] = dict(labels or {})
        self._policy = policy
        self._folders = folders
        self._make = make
        self._lock = threading.RLock()
        self._models: dict[int, Model] = {}
        self._present: dict[int, Path] = {}
        self._asked: set[int] = set()  # versions that a caller named, outside the policy
        self._current: Model | None = None  # answers requests that name no version; it is loaded
        self._target: Model | None = None  # should answer them
        self._background: threading.Thread | None = None
        self.refresh()

    def set_policy(self, policy: VersionPolicy, labels: Mapping[str, int]) -> None:
        """Changes the wanted versions; ``load_wanted`` or the next ``refresh`` brings it about."""
        with self._lock:
            self._policy, self.labels = policy, dict(labels)

    def refresh(self) -> None:
        """Rescans the version folders; call it only when they may have changed."""
        present = self._folders()
        with self._lock:
            if present:
                self._update_versions(present)
            else:
                self._handle_no_folders()

    def _update_versions(self, present: dict[int, Path]) -> None:
        self._present = present
        for version, folder in present.items():
            known = self._models.get(version)
            if known is None or (known.folder != folder and not known.is_loaded):
                self._models[version] = self._make(version, folder)
        self._asked &= present.keys()
        self._settle()

    def _handle_no_folders(self) -> None:
        self.unload_all()

    def versions(self) -> dict[int, Model]:
        """Every version that is on disk, highest first."""
        with self._lock:
            return {version: self._models[version] for version in sorted(self._present)[::-1]}

    def known(self) -> list[Model]:
        """The versions of a status page, highest first: loaded once, failed, or wanted."""
        with self._lock:
            wanted_versions = self._policy.choose(self._present)
            return [
                model
                for version, model in sorted(self._models.items(), reverse=True)
                if version in wanted_versions or model.state is not ModelState.NOT_LOADED
            ]

    def pick(self) -> Model | None:
        """The version for a request that names none: a loaded one if any is, else the next one."""
        current = self._current
        if current is not None and current is self._target:
            return current
        with self._lock:
            if self._current is None:
                return self._target
            self._load_target()
            return self._current

    def load(self) -> LoadedModel | None:
        """The version for a request that names none, loaded now if need be.

        Returns:
            The model, which stays loaded while the caller holds it; None if there is no version.

        Raises:
            ModelError: none can be loaded; the message gives the highest one's reason.
        """
        reason: ModelError | None = None
        while (model := self.pick()) and self._may_use(model):
            try:
                loaded = model.load()
            except ModelRetired:
                continue
            except ModelError as exc:
                reason = reason or exc
                with self._lock:
                    self._settle()
                    if self._target is None or self._target.is_broken():
                        raise reason from None
                continue
            if model is not self._current:
                with self._lock:
                    self._settle()
            return loaded
        return None

    def load_version(self, version: int, *, any_version: bool) -> LoadedModel | None:
        """One version by its number, loaded now if need be.

        Args:
            version: its number.
            any_version: also one that the policy does not want, if it is on disk.

        Returns:
            The model, which stays loaded while the caller holds it; None if there is no such
            version.

        Raises:
            ModelError: it cannot be loaded.
        """
        while True:
            with self._lock:
                model = self._servable(version, any_version=any_version)
            if model is None or not self._may_use(model):
                return None
            with contextlib.suppress(ModelRetired):
                loaded = model.load()
                if model is self._target and model is not self._current:
                    with self._lock:
                        self._settle()
                return loaded

    def can_serve(self, version: int) -> bool:
        """Whether a version answers, or would be loaded for a request."""
        with self._lock:
            model = self._servable(version, any_version=False)
        return model is not None and self._may_use(model)

    def _may_use(self, model: Model) -> bool:
        """Whether a request may use a version: here any, since the request loads it."""
        return True

    def _servable(self, version: int, *, any_version: bool) -> Model | None:
        model = self._models.get(version)
        if version not in self._present:
            return model if model is not None and model.is_loaded else None
        is_wanted = version in self._policy.choose(self._present)
        if not is_wanted and any_version:
            self._asked.add(version)
        if is_wanted or any_version:
            return self._fresh(version)
        is_left_over = model is not None and model.is_loaded and version not in self._asked
        return model if is_left_over else None

    def _fresh(self, version: int) -> Model:
        """The version as a ``Model`` that can be loaded, also if it was unloaded once."""
        model = self._models[version]
        if model.is_retired:
            model = self._models[version] = self._make(version, self._present[version])
        return model

    def load_wanted(self) -> None:
        """Rescans the folders and loads the wanted versions; a failure is kept as the state."""
        self.refresh()
        with self._lock:
            wanted_versions = self._policy.choose(self._present)
        for version in wanted_versions:
            self._try_to_load(version)
        if isinstance(self._policy, Latest):
            for version in self._fallbacks(wanted_versions):
                if sum(each.is_loaded for each in self._models.values()) >= self._policy.count:
                    break
                self._try_to_load(version)
        with self._lock:
            self._settle()

    def ensure_loaded(self) -> None:
        """Loads the wanted versions now, so that a status reports how that went."""
        self.load_wanted()

    def _try_to_load(self, version: int) -> None:
        with self._lock:
            model = self._fresh(version)
        if not model.is_loaded and not model.is_broken():
            with contextlib.suppress(ModelError):  # logged, and kept as the model's state
                model.load()

    def unload_all(self) -> None:
        """Unloads every version of a model that is not served any more."""
        with self._lock:
            self._present = {}
            self._current = self._target = None
            for model in self._models.values():
                if not model.is_retired:
                    model.unload()

    def _load_target(self) -> None:
        """Starts to load the version that should answer, in the background."""
        if self._background is None or not self._background.is_alive():
            self._background = threading.Thread(
                target=self._load_until_current, name=f"load {self.name}", daemon=True
            )
            self._background.start()

    def _load_until_current(self) -> None:
        """Loads the version that should answer, and the next lower one if it cannot be loaded."""
        while True:
            with self._lock:
                target = self._target
            if target is None or target is self._current or target.is_broken():
                return
            with contextlib.suppress(ModelError):  # logged, and kept as the model's state
                target.load()
            with self._lock:
                self._settle()

    def _settle(self) -> None:
        """Determines which version should answer and which does; unloads unwanted versions."""
        wanted_versions = self._policy.choose(self._present)
        order = [*wanted_versions, *self._fallbacks(wanted_versions)]
        loadable = (version for version in order if not self._models[version].is_broken())
        chosen = next(loadable, order[0] if order else None)
        self._target = None if chosen is None else self._fresh(chosen)
        if self._target is not None and self._target.is_loaded:
            self._current = self._target
            self._unload_unwanted(wanted_versions, order)
        elif self._current is not None and not self._current.is_loaded:
            self._current = None

    def _fallbacks(self, wanted_versions: list[int]) -> list[int]:
        """The versions that answer, in this order, while no wanted version can be loaded."""
        if not isinstance(self._policy, Latest):
            return []
        return sorted(set(self._present) - set(wanted_versions), reverse=True)

    def _unload_unwanted(self, wanted_versions: list[int], order: list[int]) -> None:
        if isinstance(self._policy, Latest):
            wanted_versions = [v for v in order if self._models[v].is_loaded][: self._policy.count]
        for version, model in self._models.items():
            if model.is_loaded and version not in wanted_versions and version not in self._asked:
                logger.info("unloading %s/%s", model.name, version)
                model.unload()
