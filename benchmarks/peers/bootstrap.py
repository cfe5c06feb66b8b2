"""How sure a figure of few rounds is: percentile bootstrap over the rounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 10_000
SEED = 1


@dataclass(frozen=True)
class Interval:
    """A median of rounds with its 95 % confidence interval."""

    value: float
    low: float
    high: float


def median_interval(values: Sequence[float]) -> Interval:
    """The median of the rounds' values, and where 95 % of the resampled medians lie.

    The same for the same values: the random numbers have a seed.
    """
    if not values:
        raise ValueError("there are no rounds to take a median of")
    array = np.asarray(values, float)
    chosen = np.random.default_rng(SEED).integers(0, len(array), (RESAMPLES, len(array)))
    low, high = np.percentile(np.median(array[chosen], axis=1), [2.5, 97.5])
    return Interval(float(np.median(array)), float(low), float(high))


def ratio_interval(ours: Sequence[float], theirs: Sequence[float]) -> Interval:
    """Ours over theirs; the two values of a round were measured one right after the other."""
    return median_interval([a / b for a, b in zip(ours, theirs, strict=True)])


def difference_interval(ours: Sequence[float], theirs: Sequence[float]) -> Interval:
    """Ours less theirs, round by round."""
    return median_interval([a - b for a, b in zip(ours, theirs, strict=True)])
