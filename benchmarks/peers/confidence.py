"""Computes confidence intervals by percentile bootstrap over blocks and their rounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 10_000
SEED = 1

# Block -> the values of its rounds, in all blocks as many. A block's rounds met the same
# processes.
Blocks = Mapping[int, Sequence[float]]


@dataclass(frozen=True)
class Interval:
    """A median of rounds with its 95 % confidence interval."""

    value: float
    low: float
    high: float


def median_interval(blocks: Blocks) -> Interval:
    """Returns the median of all rounds' values, and where 95 % of the resampled medians lie.

    Blocks are drawn first, then rounds in each: rounds of one block are alike, so that many of
    them tell less than many blocks. The same for the same values: the random numbers have a seed.
    """
    if not blocks:
        raise ValueError("there are no rounds to take a median of")
    table = np.stack([np.asarray(rounds, float) for rounds in blocks.values()])
    random = np.random.default_rng(SEED)
    chosen_blocks = random.integers(0, len(table), (RESAMPLES, len(table), 1))
    chosen_rounds = random.integers(0, table.shape[1], (RESAMPLES, *table.shape))
    chosen = table[chosen_blocks, chosen_rounds].reshape(RESAMPLES, -1)
    low, high = np.percentile(np.median(chosen, axis=1), [2.5, 97.5])
    return Interval(float(np.median(table)), float(low), float(high))


def ratio_interval(ours: Blocks, theirs: Blocks) -> Interval:
    """Returns the interval of ours over theirs; a round's two values follow each other directly."""
    return median_interval(_round_by_round(ours, theirs, lambda a, b: a / b))


def difference_interval(ours: Blocks, theirs: Blocks) -> Interval:
    """Returns the interval of ours less theirs, round by round."""
    return median_interval(_round_by_round(ours, theirs, lambda a, b: a - b))


def _round_by_round(
    ours: Blocks, theirs: Blocks, compare: Callable[[float, float], float]
) -> dict[int, list[float]]:
    return {
        block: [compare(a, b) for a, b in zip(values, theirs[block], strict=True)]
        for block, values in ours.items()
    }
