"""Serves the versions of one model that a watcher has loaded."""

from __future__ import annotations

from image_classifier.models.model import Model
from image_classifier.models.served_model import ServedModel

__all__ = ["WatchedModel"]


class WatchedModel(ServedModel):
    """One model and its versions, loaded by a watcher that calls ``load_wanted``.

    No request loads a version. A model whose folders are gone keeps answering, as in TensorFlow
    Serving.
    """

    def ensure_loaded(self) -> None:
        """Does nothing: the watcher loads the wanted versions."""

    def _may_use(self, model: Model) -> bool:
        return model.is_loaded

    def _load_target(self) -> None:
        """Does nothing, likewise."""

    def _handle_no_folders(self) -> None:
        self._update_versions({})
