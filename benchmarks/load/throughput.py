"""Compares the rates of several endpoints for one image; the loads take turns."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

from benchmarks.data.synthetic_images import jpeg
from benchmarks.data.workload import Workload
from benchmarks.harness.case import MILLISECONDS, RATE, Case, Goal, Measured, WrongAnswer
from benchmarks.harness.statistics import Samples
from benchmarks.load.plan import Load
from benchmarks.load.process import Sender

__all__ = ["CLIENTS", "Endpoint", "image_bytes", "rates_case"]

CLIENTS = 8
SECONDS, QUICK_SECONDS = 3.0, 0.5
ROUNDS = 9


class Endpoint(NamedTuple):
    """A server's path that gives the image's tags.

    Attributes:
        port: of the server.
        path: where it is posted.
        body: of the request, with the image in it.
        kind: of load, see ``Load``.
        content_type: of the request.
    """

    port: int
    path: str
    body: bytes
    kind: str = "classify"
    content_type: str = "image/jpeg"


def image_bytes() -> bytes:
    """The image in every request."""
    return jpeg(600, 600)


def rates_case(
    workload: Workload,
    endpoints: Mapping[str, Endpoint],
    source: Sender,
    *,
    description: str,
    base: str,
    goals: Mapping[str, float],
    quick: bool,
) -> Case:
    """Makes the case: eight clients, one endpoint after the other.

    Args:
        workload: has the model, and a folder for the requests.
        endpoints: name -> endpoint.
        source: sends the loads.
        description: one line for the report.
        base: the endpoint that the others are compared with.
        goals: endpoint -> the least share of the base's answers a second.
        quick: one short round.
    """
    prediction = workload.classifier().classify_bytes(image_bytes())

    def sending(name: str, endpoint: Endpoint) -> Callable[[bytes], Measured]:
        file = workload.models_dir / f"{name.replace('/', '')}.body"
        file.write_bytes(endpoint.body)
        load = Load(
            port=endpoint.port,
            path=endpoint.path,
            file=str(file),
            content_type=endpoint.content_type,
            tag=str(prediction.predicted_tag_name),
            probability=max(prediction.scores),
            seconds=QUICK_SECONDS if quick else SECONDS,
            clients=CLIENTS,
            kind=endpoint.kind,
        )
        return lambda image: _sent(source, load)  # the load generator reads the file itself

    return Case(
        name="images",
        description=description,
        implementations={name: sending(name, endpoint) for name, endpoint in endpoints.items()},
        inputs={"600x600.jpg (generated)": image_bytes()},
        check=lambda name, answers: None,  # every answer is compared where it arrives
        rounds=1 if quick else ROUNDS,
        goals=tuple(
            Goal(
                f"{name} / {base}, answers a second", ">=", least, "x", partial(_ratio, name, base)
            )
            for name, least in goals.items()
        ),
        notes=lambda samples: [_note(name, base, samples) for name in endpoints if name != base],
    )


def _sent(source: Sender, load: Load) -> Measured:
    outcome = source.send(load)
    if outcome.errors:
        raise WrongAnswer(outcome.errors[0])
    return Measured(None, {MILLISECONDS: outcome.latencies, RATE: outcome.per_second})


def _ratio(name: str, base: str, samples: Samples) -> float:
    """The median of the rounds' ratios: other work of the machine affects both alike."""
    return statistics.median(_ratios(name, base, samples))


def _ratios(name: str, base: str, samples: Samples) -> list[float]:
    pairs = zip(samples.values(name, None, RATE), samples.values(base, None, RATE), strict=True)
    return [its / bases for its, bases in pairs]


def _note(name: str, base: str, samples: Samples) -> str:
    ratios = _ratios(name, base, samples)
    return (
        f"{name} / {base}: {_ratio(name, base, samples):.3f} at the median of the rounds "
        f"({min(ratios):.3f} to {max(ratios):.3f})."
    )
