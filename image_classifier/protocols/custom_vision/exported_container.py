"""Renders answers as the container that Custom Vision exports: a sparse form of the schema."""

from __future__ import annotations

from typing import Any

from image_classifier.results import Prediction

__all__ = ["as_container_answer"]


def as_container_answer(prediction: Prediction) -> dict[str, Any]:
    """Renders the container's answer, key for key.

    The ids are empty, ``created`` has no zone, and the tags come in the order of the labels,
    rounded to 8 places, if they are above 1e-8.
    """
    return {
        "id": "",
        "project": "",
        "iteration": "",
        "created": prediction.created.isoformat(timespec="microseconds"),
        "predictions": [
            {**tag.as_dict(), "tagId": "", "boundingBox": None} for tag in prediction.tags
        ],
    }
