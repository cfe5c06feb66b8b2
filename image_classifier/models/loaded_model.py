"""Defines a loaded model, which its holders keep from being unloaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from image_classifier.engines.base import Engine, SavedModelEngine
from image_classifier.errors import InvalidRequest
from image_classifier.model_files.input_spec import INPUT_SPEC_FILE
from image_classifier.model_files.labels import LABELS_FILE
from image_classifier.model_files.signatures import Signature

__all__ = ["LoadedModel"]


@dataclass(frozen=True)
class LoadedModel:
    """A model that is ready to run. A reference to it keeps it from being unloaded.

    Attributes:
        name: of the model.
        version: its number.
        engine_name: of the engine that runs it.
        labels: one for each score; empty if this is no image classifier.
        image_engine: computes one score for each of ``labels``; None if this is no image
            classifier.
        saved_model: runs the signatures that the file itself has; None if it has none.
        signatures: all that callers can request: the file's own, and the four of every image
            classifier unless the file has its own of that name.
        iteration_id: of the iteration in Custom Vision that it was exported from, if the export's
            ``cvexport.manifest`` is beside it.
    """

    name: str
    version: int
    engine_name: str
    labels: tuple[str, ...] = ()
    image_engine: Engine | None = None
    saved_model: SavedModelEngine | None = None
    signatures: Mapping[str, Signature] = field(default_factory=dict)
    iteration_id: UUID | None = None

    @property
    def provider(self) -> str | None:
        """The execution provider or device; None for engines without a choice."""
        return getattr(self.image_engine, "provider", None)

    @property
    def engine(self) -> Engine:
        """The engine of an image classifier.

        Raises:
            InvalidRequest: this model is no image classifier.
        """
        if self.image_engine is None:
            raise InvalidRequest(
                f"Model {self.name!r} is no image classifier that the app can feed: it is a "
                f"SavedModel without {INPUT_SPEC_FILE} and {LABELS_FILE}. Call one of its "
                f"signatures instead: POST /v1/models/{self.name}:predict."
            )
        return self.image_engine
