"""Two sets of scores are compared by the largest difference and by their best labels."""

from __future__ import annotations

import math

import numpy as np

from tools.shared.agreement import ScorePair, agreement_of

NAN = math.nan


def pair(name: str, reference: list[float], other: list[float]) -> ScorePair:
    return ScorePair(name, np.array(reference, np.float32), np.array(other, np.float32))


def test_the_largest_difference_and_its_input_are_found() -> None:
    agreement = agreement_of(
        [
            pair("near", [0.75, 0.25], [0.875, 0.125]),
            pair("far", [0.75, 0.25], [0.5, 0.5]),
            pair("same", [0.75, 0.25], [0.75, 0.25]),
        ]
    )

    assert (agreement.inputs, agreement.largest_difference, agreement.worst) == (3, 0.25, "far")
    assert (agreement.same_top, agreement.top_share) == (3, 1.0)


def test_a_difference_that_is_not_a_number_stays_the_largest() -> None:
    pairs = [pair("a", [1, 0], [0, 1]), pair("b", [1, 0], [NAN, 0]), pair("c", [1, 0], [0, 1])]
    agreement = agreement_of(pairs)

    assert math.isnan(agreement.largest_difference)
    assert agreement.worst == "b"


def test_the_share_of_equal_best_labels_is_that_of_all_inputs() -> None:
    pairs = [pair("a", [1.0, 0], [0, 1.0]), pair("b", [0.5, 0.5], [0.75, 0.25])]

    assert agreement_of(pairs).top_share == 0.5
    assert agreement_of([pair("one label", [1.0], [1.0])]).top_share == 1.0


def test_without_inputs_nothing_differs() -> None:
    agreement = agreement_of([])

    assert (agreement.inputs, agreement.largest_difference, agreement.top_share) == (0, 0.0, 0.0)
