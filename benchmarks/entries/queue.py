"""Measures images a second drained from the queue, and the time until a result is on the page."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.data.workload import Workload, open_workload
from benchmarks.entries.queue_runs import (
    EMULATOR,
    RATE,
    THREADS,
    TO_PAGE,
    Job,
    PipelineProcess,
    drained,
    one_by_one,
    pipelines,
)
from benchmarks.harness.case import Case, Goal, Measured, WrongAnswer
from benchmarks.harness.statistics import Samples
from benchmarks.servers.queue_pipeline import images

DELAY_MS = 50.0
# batchSize, newBatchThreshold, threads. One at a time; Azure's default of six threads on two cores;
# what host.json has.
QUEUE_SETTINGS = ((1, 0, 32), (4, 2, 32), (16, 16, 6), (8, 4, 32), (16, 16, 32), (32, 32, 64))

PIPELINE_1, PIPELINE_2 = "1 pipeline in process", "2 pipelines in process"
HOST_1, HOST_2 = "local host, 1 worker", "local host, 2 workers"


@contextmanager
def cases(quick: bool) -> Iterator[list[Case]]:
    """Yields throughput, settings and latency, each with an emulator of its own."""
    with ExitStack() as stack:
        workload = stack.enter_context(open_workload(quick=quick))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="images-")))
        for name, data in workload.images.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
        address = stack.enter_context(images(folder, delay_ms=DELAY_MS))
        job = _job(workload, address, count=60 if quick else 600)
        yield [
            throughput_case(job, quick=quick),
            settings_case(job, quick=quick),
            latency_case(job, quick=quick),
        ]


def _job(workload: Workload, address: str, *, count: int) -> Job:
    """Makes the job; its tags are the app's own, whose correctness is tested elsewhere."""
    names = list(workload.images)
    run = PipelineProcess(workload, [f"{address}/{name}" for name in names], core=None)
    tags = dict(zip(names, run.go()["tags"], strict=True))
    chosen = [names[number % len(names)] for number in range(count)]
    return Job(workload, [f"{address}/{name}" for name in chosen], [tags[name] for name in chosen])


def throughput_case(job: Job, *, quick: bool) -> Case:
    """Images a second: the host with one and two workers against plain pipelines."""
    return Case(
        name="queue",
        description=f"{len(job.urls)} messages, each image from a server that answers after "
        f"{DELAY_MS:g} ms; each worker and each pipeline bound to one core, {THREADS} threads for "
        f"each; ONNX Runtime; {job.workload.description}",
        implementations={
            PIPELINE_1: lambda job: pipelines(job, 1),
            HOST_1: lambda job: drained(job, 1),
            PIPELINE_2: lambda job: pipelines(job, 2),
            HOST_2: lambda job: drained(job, 2),
        },
        inputs={f"{len(job.urls)} images": job},
        check=lambda name, answers: _check(job, answers),
        rounds=1 if quick else 5,
        warm_up_rounds=0,
        goals=(
            Goal("drained with 2 workers / with 1", ">=", 1.8, "x", _scaling),
            Goal(
                "drained with 2 workers / 2 pipelines in process, the emulator's time taken off",
                ">=",
                0.75,
                "x",
                _of_pipelines,
            ),
        ),
        notes=_notes,
    )


def _check(job: Job, answers: Mapping[str, Any]) -> None:
    for who, tags in answers.items():
        if sorted(map(str, tags)) != sorted(map(str, job.tags)):
            raise WrongAnswer(f"{who}: its tags are not those that the images must get")


def _rate(samples: Samples, who: str) -> float:
    return samples.summary(who, None, RATE).median


def _scaling(samples: Samples) -> float:
    return _rate(samples, HOST_2) / _rate(samples, HOST_1)


def _of_pipelines(samples: Samples) -> float:
    """Both use both cores all the time, so each of them lost half of the emulator's time."""
    emulator = samples.summary(HOST_2, None, EMULATOR).median / 1000 / 2
    return 1 / (1 / _rate(samples, HOST_2) - emulator) / _rate(samples, PIPELINE_2)


def _notes(samples: Samples) -> list[str]:
    raw = _rate(samples, HOST_2) / _rate(samples, PIPELINE_2)
    return [
        f"2 pipelines do {_rate(samples, PIPELINE_2) / _rate(samples, PIPELINE_1):.2f} times what "
        "one does: more than that no queue can scale on this machine.",
        f"With the emulator's time counted, 2 workers drain {raw:.2f} of what 2 pipelines do.",
    ]


def settings_case(job: Job, *, quick: bool) -> Case:
    """Compares settings of queues; the result is the reason for host.json's."""
    few = replace(job, urls=job.urls[:200], tags=job.tags[:200])

    def drain(batch: int, threshold: int, threads: int, job: Job) -> Measured:
        queues = {"batchSize": batch, "newBatchThreshold": threshold}
        workload = drained(job, 1, threads=threads, queues=queues)
        return Measured(workload.answer, {RATE: workload.figures[RATE]})

    return Case(
        name="queue-settings",
        description=f"{len(few.urls)} messages, one worker bound to one core: batchSize and "
        "newBatchThreshold of host.json, whose sum is how many messages run at once, and "
        "PYTHON_THREADPOOL_THREAD_COUNT; the image's server takes "
        f"{DELAY_MS:g} ms; {job.workload.description}",
        implementations={
            f"{batch} + {threshold}, {threads} threads": partial(drain, batch, threshold, threads)
            for batch, threshold, threads in QUEUE_SETTINGS
        },
        inputs={f"{len(few.urls)} images": few},
        check=lambda name, answers: _check(few, answers),
        rounds=1 if quick else 3,
        warm_up_rounds=0,
    )


def latency_case(job: Job, *, quick: bool) -> Case:
    """The time from the queue to the page, one message at a time."""
    count = 5 if quick else 40

    def check(name: str, answers: Mapping[str, Any]) -> None:
        for tags in answers.values():
            if tags != list(job.tags[:count]):
                raise WrongAnswer("the tags are not those that the images must get")

    return Case(
        name="queue-latency",
        description=f"{count} messages, one every half second: from putting it on the queue to the "
        f"result at a page; the image's server takes {DELAY_MS:g} ms of it; "
        f"{job.workload.description}",
        implementations={HOST_1: lambda job: one_by_one(job, count)},
        inputs={"low load": job},
        check=check,
        rounds=1 if quick else 3,
        warm_up_rounds=0,
        goals=(
            Goal(
                "from enqueue to page at low load, at the median",
                "<",
                250,
                "ms",
                lambda samples: samples.summary(HOST_1, None, TO_PAGE).median,
            ),
        ),
    )
