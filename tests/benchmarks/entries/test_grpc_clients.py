"""The comparison of the clients runs against a real server, and notices a wrong answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from benchmarks.data.workload import Workload
from benchmarks.entries.grpc_clients import (
    BARE,
    CLASSIFY,
    FIRST_ANSWER,
    IMAGE,
    MEMORY,
    NEW,
    OLD,
    calls_case,
    start_case,
)
from benchmarks.entries.serving import model_server
from benchmarks.harness.case import WrongAnswer
from benchmarks.harness.measure import run_case

pytestmark = pytest.mark.process

pytest.importorskip("azureml", reason="azureml-accel-models, the old client, is not installed")


@pytest.fixture(scope="module")
def port(demo: Workload) -> Iterator[int]:
    with model_server(demo) as (grpc_port, _):
        yield grpc_port


def test_both_clients_answer_the_same(demo: Workload, port: int) -> None:
    with calls_case(demo, port, quick=True) as case:
        samples = run_case(replace(case, rounds=2, warm_up_rounds=1))

    assert set(samples.implementations()) == {OLD, NEW, CLASSIFY, BARE}
    assert all(goal.value(samples) > 0 for goal in case.goals)


def test_the_first_call_of_a_program_is_measured_with_its_memory(demo: Workload, port: int) -> None:
    case = start_case(demo, port, quick=True)
    samples = run_case(case)

    for name in (OLD, NEW):
        assert samples.median(name, IMAGE, FIRST_ANSWER) > 0
        assert samples.median(name, IMAGE, MEMORY) > 1


def test_a_wrong_answer_is_noticed(demo: Workload, port: int) -> None:
    with calls_case(demo, port, quick=True) as case:
        wrong = {NEW: lambda path: [0.1] * 10}
        with pytest.raises(WrongAnswer, match="new client, score_file"):
            run_case(replace(case, implementations=wrong))
