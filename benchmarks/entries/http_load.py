"""Measures the local host under load: closed loop, and open loop at shares of its capacity."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.data.synthetic_images import jpeg
from benchmarks.data.workload import Workload
from benchmarks.harness.answer_checks import check_same_answer
from benchmarks.harness.case import MILLISECONDS, RATE, Case, Measured, WrongAnswer
from benchmarks.harness.statistics import Samples
from benchmarks.load.plan import Load
from benchmarks.load.process import Sender, sender
from benchmarks.servers.app_host import Client, classify_path, local_host, wait_until_ready

FIRST = "first request of a new process"
CLIENTS = {"1 client": 1, "8 clients": 8}
CAPACITY = "8 clients"
SHARES = {"50 % of the capacity": 0.5, "80 % of the capacity": 0.8, "95 % of the capacity": 0.95}
SECONDS, QUICK_SECONDS = 2.0, 0.4  # of each load


@contextmanager
def load_case(workload: Workload, port: int, *, quick: bool) -> Iterator[Case]:
    """Yields the loads, on a local host that runs already."""
    image = workload.models_dir / "image.jpg"
    image.write_bytes(jpeg(600, 600))
    expected = workload.classifier().classify_bytes(image.read_bytes()).as_dict()
    top = max(expected["prediction"], key=lambda tag: tag["probability"])
    load = Load(
        port=port,
        path=classify_path(workload.model),
        file=str(image),
        tag=top["tagName"],
        probability=top["probability"],
        seconds=QUICK_SECONDS if quick else SECONDS,
    )
    with sender() as source:
        yield _case(workload, Loads(source, load), image, expected, quick=quick)


class Loads:
    """Sends the loads and keeps the capacity, which the open loops need.

    Args:
        source: the load generator.
        load: the request, its server, its length and its right answer.
    """

    def __init__(self, source: Sender, load: Load) -> None:
        self._source = source
        self._load = load
        self.rates: list[float] = []

    def closed(self, clients: int) -> Measured:
        """Closed loop: each client sends its next request when it has its answer."""
        return self._send(replace(self._load, clients=clients))

    def open(self, share: float) -> Measured:
        """Open loop at a share of the capacity, which is measured first if it is not known."""
        if not self.rates:
            self.closed(CLIENTS[CAPACITY])
        return self._send(replace(self._load, rate=share * statistics.median(self.rates)))

    def _send(self, load: Load) -> Measured:
        outcome = self._source.send(load)
        if outcome.errors:
            raise WrongAnswer(outcome.errors[0])
        if load.rate is None and load.clients == CLIENTS[CAPACITY]:
            self.rates.append(outcome.per_second)
        # Every answer has been compared where it arrived.
        return Measured(None, {MILLISECONDS: outcome.latencies, RATE: outcome.per_second})


def _case(
    workload: Workload, loads: Loads, image: Path, expected: Mapping[str, Any], *, quick: bool
) -> Case:
    implementations: dict[str, Callable[[bytes], Any]] = {
        FIRST: lambda image: first_request(workload, image)
    }
    for name, clients in CLIENTS.items():
        implementations[f"closed loop, {name}"] = _ignoring_input(partial(loads.closed, clients))
    for name, share in SHARES.items():
        implementations[f"open loop, {name}"] = _ignoring_input(partial(loads.open, share))

    def check(name: str, answers: Mapping[str, Any]) -> None:
        check_same_answer(f"{FIRST}, {name}", answers[FIRST], expected)

    def notes(samples: Samples) -> list[str]:
        return [
            f"The capacity is what {CAPACITY} get: {statistics.median(loads.rates):.1f} answers a "
            "second. Open loop: requests come at a constant rate, whatever becomes of them, and "
            "the time of each counts from when it was due.",
            "The first request of a process waits for the model to be loaded (WARM_UP=false).",
        ]

    return Case(
        name="loads",
        description="the same local host under load: a POST of a 600 x 600 JPEG; the client is a "
        f"process of its own on the same cores; {workload.description}",
        implementations=implementations,
        inputs={"600x600.jpg (generated)": image.read_bytes()},
        check=check,
        rounds=1 if quick else 3,
        notes=notes,
    )


def _ignoring_input(send: Callable[[], Measured]) -> Callable[[bytes], Measured]:
    return lambda image: send()  # the load generator reads the image's file itself


def first_request(workload: Workload, image: bytes) -> Measured:
    """Sends the first request to a process as soon as it is ready."""
    with local_host(workload.environ()) as (program, port):
        wait_until_ready(program, port)
        with closing(Client(port, workload.model, keep_alive=True)) as client:
            reply = client.ask(image)
    return Measured(reply.answer, {MILLISECONDS: reply.milliseconds})
