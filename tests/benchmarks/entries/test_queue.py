from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmarks.data.workload import Workload
from benchmarks.entries.queue import (
    HOST_1,
    HOST_2,
    PIPELINE_1,
    PIPELINE_2,
    latency_case,
    throughput_case,
)
from benchmarks.entries.queue_runs import EMULATOR, RATE, TO_PAGE, Job
from benchmarks.harness.case import Measured, WrongAnswer
from benchmarks.harness.statistics import Samples
from benchmarks.servers.queue_pipeline import images
from tests.conftest import ROOT
from tools.bootstrap.environments import has_node

SAMPLES = ROOT / "frontend" / "samples"
needs_node = pytest.mark.skipif(not has_node(), reason="the storage emulator needs Node.js")


@pytest.fixture(scope="module")
def job() -> Iterator[Job]:
    """The demo model and two of its samples, eight times each."""
    files = {"seven.png": "7", "three.png": "3"}
    found = Workload(
        description="the demo model",
        models_dir=ROOT / "models",
        model="digits",
        images={name: (SAMPLES / name).read_bytes() for name in files},
        expected={},
    )
    with ExitStack() as stack:
        address = stack.enter_context(images(SAMPLES, delay_ms=5))
        names = list(files) * 8
        yield Job(found, [f"{address}/{name}" for name in names], [files[name] for name in names])


def one(found: Measured, figure: str) -> float:
    value = found.figures[figure]
    assert isinstance(value, float)
    return value


@needs_node
def test_pipelines_and_workers_do_the_same_job_with_the_same_tags(job: Job) -> None:
    case = throughput_case(job, quick=True)

    answers = {who: do(job) for who, do in case.implementations.items() if who != HOST_1}

    case.check("16 images", {who: found.answer for who, found in answers.items()})
    assert all(one(found, RATE) > 0 for found in answers.values())
    assert one(answers[HOST_2], EMULATOR) > 0


@needs_node
def test_time_to_the_page_is_measured_for_each_message(job: Job) -> None:
    case = latency_case(job, quick=True)

    found = case.implementations[HOST_1](job)

    waits = found.figures[TO_PAGE]
    case.check("low load", {HOST_1: found.answer})
    assert len(waits) == len(found.answer)
    # The image's server alone takes five milliseconds.
    assert min(waits) > 5


def test_a_wrong_tag_ends_the_run(job: Job) -> None:
    case = throughput_case(job, quick=True)

    with pytest.raises(WrongAnswer, match="not those that the images must get"):
        case.check("16 images", {PIPELINE_1: ["7"] * 16})


def test_goals_take_the_emulators_time_off_as_it_is_shared_by_two_cores() -> None:
    samples = Samples()
    figures = {PIPELINE_1: 50.0, PIPELINE_2: 100.0, HOST_1: 40.0, HOST_2: 75.0}
    for who, rate in figures.items():
        samples.add(who, "16 images", RATE, rate)
    # 13.3 ms a message on two cores; 4 ms of one core's time are 2 ms of it.
    samples.add(HOST_2, "16 images", EMULATOR, 4.0)
    scaling, share = throughput_case(
        Job(Workload("", Path(), "", {}, {}), ["a"], ["7"]), quick=True
    ).goals

    assert scaling.value(samples) == pytest.approx(75 / 40)
    assert share.value(samples) == pytest.approx((1 / (1 / 75 - 0.002)) / 100)
