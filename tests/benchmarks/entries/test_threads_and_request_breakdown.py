from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from benchmarks.data.workload import Workload
from benchmarks.entries.request_breakdown import (
    HOST,
    IMAGE,
    NETWORK,
    PARTS,
    REQUEST,
    SUM,
    WHOLE,
    breakdown_case,
)
from benchmarks.entries.threads import CALLERS, DEFAULT, SPINNING, threads_case
from benchmarks.harness.case import MILLISECONDS, RATE, Case, Measured, WrongAnswer
from benchmarks.harness.measure import run_case
from benchmarks.harness.records import case_record, verdicts


def test_every_setting_serves_every_number_of_callers(demo: Workload) -> None:
    case = replace(threads_case(demo, quick=True), rounds=1, warm_up_rounds=0)
    samples = run_case(case)

    assert {DEFAULT, SPINNING, "ENGINE_THREADS=1"} < set(case.implementations)
    assert len(samples.inputs()) == len(CALLERS)
    for who in case.implementations:
        for name, callers in case.inputs.items():
            assert len(samples.values(who, name, MILLISECONDS)) >= callers
            assert samples.values(who, name, RATE)[0] > 0
    notes = case_record(case, samples)["notes"]
    assert [note.split(":")[0] for note in notes[:2]] == ["1 caller", "2 callers"]


def test_scores_that_differ_are_wrong(demo: Workload) -> None:
    case = threads_case(demo, quick=True)
    other: Any = {"another": lambda callers: Measured(np.ones(10, np.float32), {})}

    with pytest.raises(WrongAnswer, match="another"):
        run_case(replace(case, implementations=other))


@pytest.fixture(scope="module")
def budget(demo: Workload) -> Iterator[Case]:
    with breakdown_case(demo, quick=True) as case:
        yield replace(case, rounds=5, warm_up_rounds=1)


@pytest.mark.process
def test_the_budget_names_every_part_and_what_remains(budget: Case) -> None:
    samples = run_case(budget)

    figures = [figure.removesuffix(", ms") for _, _, figure in samples.series()]
    assert figures == [*PARTS, SUM, WHOLE]
    medians = {name: samples.median(REQUEST, IMAGE, f"{name}, ms") for name in figures}
    assert all(medians[name] > 0 for name in (NETWORK, HOST, "decode", "infer"))
    assert medians[NETWORK] < medians[WHOLE]
    notes = case_record(budget, samples)["notes"]
    assert len(notes) == len(PARTS) + 1
    assert "add up to" in notes[-1]
    (verdict,) = verdicts(budget, samples)
    assert (verdict.text, verdict.goal) == ("preprocessing of a 600 x 600 image", "< 3 ms")
    assert medians["preprocess"] == pytest.approx(float(verdict.measured.split()[0]), rel=0.01)


@pytest.mark.process
def test_a_served_answer_unlike_the_one_in_process_is_wrong(budget: Case) -> None:
    wrong = {"predictedTagName": "x", "prediction": [{"tagName": "x", "probability": 1.0}]}

    def lying(image: bytes) -> Measured:
        measured = budget.implementations[REQUEST](image)
        return Measured([wrong, measured.answer[1]], measured.figures)

    with pytest.raises(WrongAnswer, match="one request"):
        run_case(replace(budget, implementations={REQUEST: lying}))
