"""Runs a case: interleaved calls, timed one by one, every answer checked."""

from __future__ import annotations

import time
from typing import Any

from tqdm import tqdm

from benchmarks.cases import MILLISECONDS, Case, Measured, WrongAnswer
from benchmarks.statistics import Samples


def run_case(case: Case) -> Samples:
    """Measures one case.

    In each round every input goes to every implementation, one right after the other, so that
    whatever else the machine does meets them alike. Who begins changes from round to round.

    Raises:
        WrongAnswer: an implementation failed, or the case's check found an answer wrong.
    """
    samples = Samples()
    names = list(case.implementations)
    rounds = range(-case.warm_up_rounds, case.rounds)
    calls = len(rounds) * len(case.inputs) * len(names)
    # disable=None: a bar on terminals only
    with tqdm(total=calls, desc=case.name, leave=False, disable=None) as bar:
        for number in rounds:
            first = number % len(names)
            for input_name, value in case.inputs.items():
                answers = {}
                for name in names[first:] + names[:first]:
                    answers[name], figures = _call(case, name, input_name, value)
                    if number >= 0:
                        for figure, measured in figures.items():
                            samples.add(name, input_name, figure, measured)
                    bar.update()
                case.check(input_name, answers)
    return samples


def _call(case: Case, name: str, input_name: str, value: Any) -> tuple[Any, dict[str, float]]:
    implementation = case.implementations[name]
    started = time.perf_counter()
    try:
        answer = implementation(value)
    except Exception as exc:
        raise WrongAnswer(f"{name} failed on {input_name}: {type(exc).__name__}: {exc}") from exc
    elapsed = time.perf_counter() - started
    if isinstance(answer, Measured):
        return answer.answer, dict(answer.figures)
    return answer, {MILLISECONDS: elapsed * 1000}
