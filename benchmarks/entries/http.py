"""Measures loopback HTTP: one warm request against the same call in process, and loads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

from benchmarks.data.synthetic_images import jpeg
from benchmarks.data.workload import Workload, open_workload
from benchmarks.entries.http_load import load_case
from benchmarks.harness.answer_checks import check_same_answer
from benchmarks.harness.case import MILLISECONDS, Case, Goal
from benchmarks.harness.statistics import Samples
from benchmarks.servers.app_host import Client, local_host, wait_until_ready

IN_PROCESS = "in process"
KEEP_ALIVE = "HTTP, kept alive"
NEW_CONNECTION = "HTTP, new connection"


@contextmanager
def cases(quick: bool) -> Iterator[list[Case]]:
    """Yields both cases, on one local host with one worker."""
    with (
        open_workload() as workload,
        local_host(workload.environ()) as (program, port),
    ):
        wait_until_ready(program, port)
        with (
            one_request_case(workload, port, quick=quick) as one,
            load_case(workload, port, quick=quick) as load,
        ):
            yield [one, load]


@contextmanager
def one_request_case(workload: Workload, port: int, *, quick: bool) -> Iterator[Case]:
    """Yields the comparison, with a local host that runs already."""
    with (
        closing(Client(port, workload.model, keep_alive=True)) as kept,
        closing(Client(port, workload.model, keep_alive=False)) as fresh,
    ):
        yield _case(workload, kept, fresh, quick=quick)


def _case(workload: Workload, kept: Client, fresh: Client, *, quick: bool) -> Case:
    classifier = workload.classifier()
    # The cost of HTTP shows most where the rest takes least.
    smallest = min(workload.images, key=lambda name: len(workload.images[name]))
    return Case(
        name="one warm request",
        description="the image in the body of a POST to the local host (ONNX Runtime, one worker), "
        f"and the same call in process; {workload.description}",
        implementations={
            IN_PROCESS: lambda data: classifier.classify_bytes(data).as_dict(),
            KEEP_ALIVE: kept.classify,
            NEW_CONNECTION: fresh.classify,
        },
        inputs={"600x600.jpg (generated)": jpeg(600, 600), smallest: workload.images[smallest]},
        check=_check,
        rounds=10 if quick else 200,
        warm_up_rounds=5,
        goals=(
            Goal("a warm request over HTTP / in process, at the median", "<=", 1.3, "x", worst),
        ),
        notes=_notes,
    )


def _check(name: str, answers: Mapping[str, Any]) -> None:
    for who, answer in answers.items():
        check_same_answer(f"{who}, {name}", answer, answers[IN_PROCESS])


def worst(samples: Samples) -> float:
    """The kept-alive connection's ratio for the image where it is worst."""
    return max(ratio(samples, name, KEEP_ALIVE) for name in samples.inputs())


def ratio(samples: Samples, name: str, who: str) -> float:
    """The median time over HTTP in multiples of that in process."""
    return samples.median(who, name, MILLISECONDS) / samples.median(IN_PROCESS, name, MILLISECONDS)


def _notes(samples: Samples) -> list[str]:
    return [
        f"{name}: {ratio(samples, name, KEEP_ALIVE):.2f} times the time in process on a kept "
        f"connection, {ratio(samples, name, NEW_CONNECTION):.2f} on a new one."
        for name in samples.inputs()
    ]
