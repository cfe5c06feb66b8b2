"""Compares answers and rejects wrong ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness.case import WrongAnswer

# Between runs of one graph: threads add up in another order.
PROBABILITY_TOLERANCE = 1e-4
TENSOR_TOLERANCE = 1e-3


def probabilities(answer: Mapping[str, Any]) -> dict[str, float]:
    """Tag -> probability, of an answer with the tutorial's keys."""
    return {tag["tagName"]: tag["probability"] for tag in answer["prediction"]}


def probability_difference(one: Mapping[str, Any], other: Mapping[str, Any]) -> float:
    """The largest difference over all tags; a tag that is left out has a probability of 0."""
    first, second = probabilities(one), probabilities(other)
    tags = first.keys() | second.keys()
    return max((abs(first.get(tag, 0.0) - second.get(tag, 0.0)) for tag in tags), default=0.0)


def check_same_answer(who: str, answer: Mapping[str, Any], reference: Mapping[str, Any]) -> None:
    """Raises WrongAnswer where two answers, both with the tutorial's keys, differ."""
    top, right_top = answer["predictedTagName"], reference["predictedTagName"]
    if top != right_top:
        raise WrongAnswer(f"{who}: the top tag is {top!r}, it should be {right_top!r}.")
    check_probabilities(who, answer, probabilities(reference))


def check_probabilities(
    who: str, answer: Mapping[str, Any], reference: Mapping[str, float]
) -> None:
    """Compares every tag; a tag that is left out has a probability of 0."""
    given = probabilities(answer)
    for tag in given.keys() | reference.keys():
        difference = abs(given.get(tag, 0.0) - reference.get(tag, 0.0))
        if not difference <= PROBABILITY_TOLERANCE:
            raise WrongAnswer(
                f"{who}: {tag} has the probability {given.get(tag)}, it should be "
                f"{reference.get(tag, 0.0)} (within {PROBABILITY_TOLERANCE})."
            )


def check_same_tensor(
    who: str, tensor: NDArray[np.float32], reference: NDArray[np.float32]
) -> None:
    """Raises WrongAnswer unless shapes are equal and all values within the tolerance."""
    if tensor.shape != reference.shape:
        raise WrongAnswer(f"{who}: the tensor has shape {tensor.shape}, not {reference.shape}.")
    difference = float(np.abs(tensor - reference).max())
    if not difference <= TENSOR_TOLERANCE:  # written so that NaN is wrong too
        raise WrongAnswer(
            f"{who}: the tensor differs by up to {difference} (at most {TENSOR_TOLERANCE})."
        )
