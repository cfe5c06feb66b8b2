"""Defines the results of a classification, which all endpoints render."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

__all__ = ["PROBABILITY_DIGITS", "Prediction", "StageTimes", "TagProbability"]

# The exporter's script rounds to 8 places and then omits probabilities up to 1e-8.
PROBABILITY_DIGITS = 8
SMALLEST_PROBABILITY = 1e-8


@dataclass(frozen=True)
class TagProbability:
    """One tag of the model and the probability, 0 to 1, that the image shows it."""

    tag_name: str
    probability: float

    def as_dict(self) -> dict[str, Any]:
        """Renders the tag with the tutorial's keys."""
        return {"tagName": self.tag_name, "probability": self.probability}


@dataclass(frozen=True)
class StageTimes:
    """Milliseconds of each stage; None for a stage that did not run."""

    fetch: float | None = None
    decode: float | None = None
    preprocess: float | None = None
    infer: float | None = None

    def items(self) -> list[tuple[str, float]]:
        """Lists the stages that ran, in their order."""
        return [(name, value) for name, value in vars(self).items() if value is not None]


@dataclass(frozen=True)
class Prediction:
    """The answer for one image.

    Attributes:
        created: time of the answer, UTC, without zone.
        tags: every tag above 1e-8, rounded to 8 places, in the order of the labels.
        labels: all tags of the model, in the order of its ``labels.txt``.
        scores: the raw output, one float for each label, in the order of the labels.
        model: name of the model that answered.
        version: its version number.
        engine: name of the engine that ran it.
        provider: the execution provider or device, for engines that have a choice.
        times: of each stage.
        iteration_id: of the Custom Vision iteration that was exported, if known.
    """

    created: datetime
    tags: tuple[TagProbability, ...]
    labels: tuple[str, ...]
    scores: tuple[float, ...]
    model: str
    version: int
    engine: str
    provider: str | None = None
    times: StageTimes = field(default_factory=StageTimes)
    iteration_id: UUID | None = None

    @property
    def predicted_tag_name(self) -> str | None:
        """The tag with the highest probability, the first of equals; None if no tag passes."""
        best = max(self.tags, key=lambda tag: tag.probability, default=None)
        return best.tag_name if best else None

    def as_dict(self) -> dict[str, Any]:
        """Renders the answer of ``/api/classify``, with the tutorial's keys."""
        return {
            "created": self.created.isoformat(timespec="microseconds"),
            "predictedTagName": self.predicted_tag_name,
            "prediction": [tag.as_dict() for tag in self.tags],
        }


def tags_from_scores(labels: Sequence[str], scores: Sequence[float]) -> tuple[TagProbability, ...]:
    """Pairs labels with scores as the exporter does: rounds first, then omits the tiny ones."""
    rounded = (
        (label, round(score, PROBABILITY_DIGITS))
        for label, score in zip(labels, scores, strict=True)
    )
    return tuple(TagProbability(label, p) for label, p in rounded if p > SMALLEST_PROBABILITY)
