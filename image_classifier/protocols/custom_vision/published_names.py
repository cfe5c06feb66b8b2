"""Finds the model for a published name of the Custom Vision API."""

from __future__ import annotations

import time
from uuid import UUID

from image_classifier.models.repository import Repository
from image_classifier.protocols.custom_vision.errors import CustomVisionError
from image_classifier.setting_parsers import PublishedName

__all__ = ["PublishedNames"]

# As long as the repository trusts its last scan of the folders.
_TRUSTED_SECONDS = 1.0
_MOST_NAMES_KEPT = 1000


class PublishedNames:
    """Finds models by published names. Safe to share among threads.

    Args:
        published: the setting CUSTOM_VISION_MODELS; if it is empty, any name is accepted.
        repository: the models.
    """

    def __init__(self, published: tuple[PublishedName, ...], repository: Repository) -> None:
        # Names for one project precede names for any.
        self._published = sorted(published, key=lambda each: each.project is None)
        self._repository = repository
        self._named: dict[str, tuple[float, str | None]] = {}

    def model_for(self, project: UUID, name: str) -> tuple[str | None, int | None]:
        """Finds model and version; None is the default model, and its current version.

        Raises:
            CustomVisionError: nothing is published for that project, or not by that name.
        """
        if not self._published:
            return self._model_named(name), None
        in_project = [each for each in self._published if each.project in (None, project)]
        if not in_project:
            raise CustomVisionError(
                404,
                "NotFoundProject",
                f"Invalid project: CUSTOM_VISION_MODELS publishes nothing for {project}.",
            )
        for each in in_project:
            if each.name == name.casefold():
                return each.model, each.version
        listed = ", ".join(sorted({each.name for each in in_project}))
        raise CustomVisionError(
            404,
            "NotFoundIteration",
            f"Invalid iteration: {name!r} is not published; these are: {listed} "
            "(CUSTOM_VISION_MODELS).",
        )

    def _model_named(self, name: str) -> str | None:
        """Finds the model of a name, ignoring case; None if there is none."""
        until, model = self._named.get(name, (0.0, None))
        if time.monotonic() < until:
            return model
        names = self._repository.names()
        alike = [each for each in names if each.casefold() == name.casefold()]
        model = name if name in alike else next(iter(alike), None)
        if len(self._named) >= _MOST_NAMES_KEPT:  # callers may invent names
            self._named.clear()
        self._named[name] = (time.monotonic() + _TRUSTED_SECONDS, model)
        return model
