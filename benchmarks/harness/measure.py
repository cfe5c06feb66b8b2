"""Runs a case: interleaved calls, timed one by one, every answer checked."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from tqdm import tqdm

from benchmarks.harness.case import MILLISECONDS, Case, Measured, WrongAnswer
from benchmarks.harness.statistics import Samples


def run_case(case: Case) -> Samples:
    """Measures one case.

    Every input goes to every implementation, one right after the other, so that other work
    of the machine affects them alike; the first one changes from round to round.

    Raises:
        WrongAnswer: an implementation failed, or the case's check found an answer wrong.
    """
    samples = Samples()
    rounds = range(-case.warm_up_rounds, case.rounds)
    calls = len(rounds) * len(case.inputs) * len(case.implementations)
    # disable=None: a bar on terminals only
    with tqdm(total=calls, desc=case.name, leave=False, disable=None) as bar:
        for number in rounds:
            answers: dict[str, dict[str, Any]] = {name: {} for name in case.inputs}
            for name, input_name in _turns(case, number):
                answer, figures = _call(case, name, input_name)
                answers[input_name][name] = answer
                if number >= 0:
                    for figure, value in figures.items():
                        samples.add(name, input_name, figure, value)
                bar.update()
            for input_name in case.inputs:
                case.check(input_name, answers[input_name])
    return samples


def _turns(case: Case, number: int) -> list[tuple[str, str]]:
    """Lists implementation and input of each call, in the order of one round."""
    names = list(case.implementations)
    first = number % len(names)
    names = names[first:] + names[:first]
    return [(name, input_name) for input_name in case.inputs for name in names]


def _call(case: Case, name: str, input_name: str) -> tuple[Any, dict[str, float | Sequence[float]]]:
    implementation, value = case.implementations[name], case.inputs[input_name]
    started = time.perf_counter()
    try:
        answer = implementation(value)
    except WrongAnswer as exc:
        raise WrongAnswer(f"{name}, {input_name}: {exc}") from exc
    except Exception as exc:
        raise WrongAnswer(f"{name} failed on {input_name}: {type(exc).__name__}: {exc}") from exc
    elapsed = time.perf_counter() - started
    if isinstance(answer, Measured):
        return answer.answer, dict(answer.figures)
    return answer, {MILLISECONDS: elapsed * 1000}
