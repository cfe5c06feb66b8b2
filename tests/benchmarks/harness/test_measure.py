from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from benchmarks.harness.case import MILLISECONDS, Case, Measured, WrongAnswer
from benchmarks.harness.measure import run_case


def case(**changes: Any) -> Case:
    def check(name: str, answers: Mapping[str, Any]) -> None:
        if set(answers.values()) != {len(name)}:
            raise WrongAnswer(f"{name}: {answers}")

    made: dict[str, Any] = {
        "name": "lengths",
        "description": "counting letters",
        "implementations": {"a": len, "b": len},
        "inputs": {"cat": "cat", "mouse": "mouse"},
        "check": check,
        "rounds": 3,
    }
    return Case(**(made | changes))


def test_every_call_after_the_warm_up_is_a_sample() -> None:
    samples = run_case(case(warm_up_rounds=2))

    assert {key: samples.summary(*key).count for key in samples.series()} == {
        (who, name, MILLISECONDS): 3 for who in "ab" for name in ("cat", "mouse")
    }


def test_implementations_take_turns_at_every_input_and_so_does_who_begins() -> None:
    calls = []

    def called(who: str) -> Callable[[str], int]:
        def count(text: str) -> int:
            calls.append(f"{who}:{text}")
            return len(text)

        return count

    run_case(
        case(
            implementations={"a": called("a"), "b": called("b")},
            inputs={"cat": "cat", "dog": "dog"},
            warm_up_rounds=1,
            rounds=1,
        )
    )

    assert calls == ["b:cat", "a:cat", "b:dog", "a:dog", "a:cat", "b:cat", "a:dog", "b:dog"]


def test_figures_that_an_implementation_takes_itself_replace_the_time() -> None:
    samples = run_case(
        case(implementations={"a": lambda text: Measured(len(text), {"memory, MiB": 5.0})})
    )

    assert samples.series() == [("a", "cat", "memory, MiB"), ("a", "mouse", "memory, MiB")]


def test_a_wrong_answer_stops_the_case() -> None:
    with pytest.raises(WrongAnswer, match="mouse"):
        run_case(case(implementations={"a": len, "b": lambda text: 3}))


def test_a_wrong_answer_in_the_warm_up_stops_it_too() -> None:
    answers = iter([4])

    with pytest.raises(WrongAnswer):
        run_case(case(implementations={"a": lambda text: next(answers, len(text))}))


def test_a_failure_is_a_wrong_answer_that_says_who_and_what() -> None:
    def fail(text: str) -> int:
        raise KeyError("no such letter")

    with pytest.raises(WrongAnswer, match="slow one failed on cat: KeyError: 'no such letter'"):
        run_case(case(implementations={"slow one": fail}))
