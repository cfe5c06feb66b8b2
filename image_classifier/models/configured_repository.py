"""Serves exactly the models of a configuration, which a watcher loads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from image_classifier.models.repository import DEMO_MODEL, Repository
from image_classifier.models.served_model import ServedModel
from image_classifier.models.serving_config import ModelConfig
from image_classifier.models.watched_model import WatchedModel
from image_classifier.stores.folder_store import folders_in

__all__ = ["ConfiguredRepository"]


class ConfiguredRepository(Repository):
    """Serves no model but the configured ones, and only versions that a watcher has loaded.

    See ``Repository`` for the arguments. ``RepositoryWatcher`` calls ``configure``.
    """

    _model_class = WatchedModel
    _any_version = False

    @property
    def default_name(self) -> str:
        """The model of requests that name none: DEFAULT_MODEL, or else the first one."""
        return self._configured_default or next(iter(self._configs), DEMO_MODEL)

    def served(self, name: str | None = None) -> ServedModel:
        """See ``Repository.served``; the watcher rescans the folders, so this does not."""
        served = self._served.get(name or self.default_name)
        if served is None:
            raise self._no_such_model(name or self.default_name, named=bool(name))
        return served

    def configure(
        self, models: Sequence[ModelConfig]
    ) -> tuple[list[ServedModel], list[ServedModel]]:
        """Changes which models are served and how; loads and unloads nothing.

        Args:
            models: all of them, with their policies and labels.

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

    def _candidates(self) -> set[str]:
        return set(self._configs)

    def _folders(self, name: str) -> dict[int, Path]:
        config = self._configs.get(name)
        return folders_in(config.base_path) if config else {}

    def _store_error(self) -> str | None:
        return None  # no model comes from the store


def _base_path(config: ModelConfig | None) -> Path | None:
    return config.base_path if config else None
