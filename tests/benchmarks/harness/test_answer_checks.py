from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmarks.harness.answer_checks import (
    check_probabilities,
    check_same_answer,
    check_same_tensor,
)
from benchmarks.harness.case import WrongAnswer


def answer(top: str | None = "Cat", **tags: float) -> dict[str, Any]:
    prediction = [{"tagName": tag, "probability": p} for tag, p in tags.items()]
    return {"predictedTagName": top, "prediction": prediction}


def test_equal_answers_pass_and_a_tag_left_out_counts_as_zero() -> None:
    check_same_answer("ours", answer(Cat=0.99995, Dog=0.00004), answer(Cat=1.0))


@pytest.mark.parametrize(
    "wrong",
    [
        answer("Dog", Cat=1.0),
        answer(Cat=0.9),
        answer(Cat=1.0, Dog=0.1),
        answer(),
        answer(Cat=float("nan")),
    ],
    ids=["another top tag", "less probable", "one tag more", "no tags", "not a number"],
)
def test_other_answers_are_wrong(wrong: dict[str, Any]) -> None:
    with pytest.raises(WrongAnswer, match="ours"):
        check_same_answer("ours", wrong, answer(Cat=1.0))


def test_a_probability_is_compared_with_the_recorded_one() -> None:
    with pytest.raises(WrongAnswer, match="Dog"):
        check_probabilities("ours", answer(Cat=0.7), {"Cat": 0.7, "Dog": 0.3})


@pytest.mark.parametrize("value", [100.01, np.nan])
def test_a_tensor_that_differs_in_one_place_is_wrong(value: float) -> None:
    right = np.full((4, 4, 3), 100.0, np.float32)
    wrong = right.copy()
    wrong[1, 2, 0] = value

    check_same_tensor("ours", right, right)
    with pytest.raises(WrongAnswer, match="differs"):
        check_same_tensor("ours", wrong, right)


def test_a_tensor_of_another_shape_is_wrong() -> None:
    with pytest.raises(WrongAnswer, match="shape"):
        check_same_tensor("ours", np.zeros((4, 5, 3), np.float32), np.zeros((4, 4, 3), np.float32))
