"""Measures how far two sets of scores for the same inputs agree."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Agreement", "ScorePair", "agreement_of"]


class ScorePair(NamedTuple):
    """The scores of one input, from two sources.

    Attributes:
        name: of the input.
        reference: float32 [labels].
        other: float32 [labels].
    """

    name: str
    reference: NDArray[np.float32]
    other: NDArray[np.float32]

    @property
    def difference(self) -> float:
        """The largest difference between two scores of a label; NaN if one is not a number."""
        return float(np.abs(self.reference - self.other).max())

    @property
    def has_same_top(self) -> bool:
        """Whether both have the same best label."""
        return bool(self.reference.argmax() == self.other.argmax())


@dataclass(frozen=True)
class Agreement:
    """The agreement of two sets of scores.

    Attributes:
        inputs: the number of inputs compared.
        largest_difference: between any two scores; NaN if one is not a number.
        worst: the name of the input with the largest difference. NaN counts as the largest.
        same_top: the number of inputs with the same best label.
    """

    inputs: int
    largest_difference: float
    worst: str
    same_top: int

    @property
    def top_share(self) -> float:
        """The share of inputs, 0 to 1, with the same best label."""
        return self.same_top / self.inputs if self.inputs else 0.0


def agreement_of(pairs: Iterable[ScorePair]) -> Agreement:
    """Compares the scores of all inputs; without inputs the difference is 0."""
    inputs, same_top, largest, worst = 0, 0, 0.0, ""
    for pair in pairs:
        inputs += 1
        difference = pair.difference
        # Once NaN, the largest difference stays NaN.
        if inputs == 1 or not (difference <= largest or np.isnan(largest)):
            largest, worst = difference, pair.name
        same_top += pair.has_same_top
    return Agreement(inputs, largest, worst, same_top)
