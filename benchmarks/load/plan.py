"""Defines a load, its outcome, and the check of every answer."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = [
    "ADDRESS",
    "ENOUGH_ERRORS",
    "PATIENCE_SECONDS",
    "Ask",
    "BadAnswer",
    "Load",
    "Outcome",
    "check_answer",
    "check_json",
]

ADDRESS = "127.0.0.1"
TOLERANCE = 1e-3  # of a probability
PATIENCE_SECONDS = 60
# A server that gives no right answer is not asked to the end of the load.
ENOUGH_ERRORS = 20

# Sends one request and checks its answer. Raises BadAnswer, OSError or TimeoutError.
Ask = Callable[[], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Load:
    """Requests for one server.

    Attributes:
        port: of the server.
        path: where images are posted.
        file: the image, or the whole body of a request of another kind.
        content_type: of the request.
        tag: that every answer must name.
        probability: of that tag.
        seconds: how long requests are begun.
        clients: closed loop: so many clients, each sends its next request when it has its answer.
        rate: open loop: requests a second at a constant rate, whatever becomes of them;
            ``clients`` does not count then.
        kind: of the request: ``classify`` (the app's own API), ``predict`` (TensorFlow Serving's,
            over REST) or ``grpc`` (the same over gRPC), with the signature ``probabilities``;
            ``custom_vision`` (the prediction API) or ``container`` (its exported container's).
    """

    port: int
    path: str
    file: str
    tag: str
    probability: float
    seconds: float
    content_type: str = "image/jpeg"
    clients: int = 1
    rate: float | None = None
    kind: str = "classify"


@dataclass
class Outcome:
    """The answers to a load.

    Attributes:
        latencies: ms, of each right answer: closed loop from the sending of the request, open
            loop from when it was due.
        per_second: right answers a second.
        errors: one line for each wrong or missing answer.
        late: ms, open loop: how much after its due time each request was sent.
    """

    latencies: list[float] = field(default_factory=list)
    per_second: float = 0.0
    errors: list[str] = field(default_factory=list)
    late: list[float] = field(default_factory=list)


class BadAnswer(Exception):
    """The server failed, or its answer is wrong."""


def check_answer(load: Load, tag: object, probability: float) -> None:
    """Raises BadAnswer unless the answer is the one expected."""
    if tag != load.tag or not abs(probability - load.probability) <= TOLERANCE:
        raise BadAnswer(
            f"{tag} with {probability}, it should be {load.tag} with {load.probability}"
        )


def check_json(load: Load, body: bytes) -> None:
    """Raises BadAnswer unless a body over HTTP holds the answer expected."""
    try:
        tag, probability = _READERS[load.kind](json.loads(body))
    except (ValueError, LookupError, TypeError) as exc:
        raise BadAnswer(f"not an answer ({exc!r}): {body[:200]!r}") from exc
    check_answer(load, tag, probability)


def _read_classify(answer: Any) -> tuple[object, float]:
    tag = answer["predictedTagName"]
    return tag, {one["tagName"]: one["probability"] for one in answer["prediction"]}[tag]


def _read_predict(answer: Any) -> tuple[object, float]:
    (one,) = answer["predictions"]
    return one["label"], max(one["probabilities"])


def _read_custom_vision(answer: Any) -> tuple[object, float]:
    first = answer["predictions"][0]  # the most probable goes first
    return first["tagName"], first["probability"]


def _read_container(answer: Any) -> tuple[object, float]:
    best = max(answer["predictions"], key=lambda one: one["probability"])
    return best["tagName"], best["probability"]


_READERS: Mapping[str, Callable[[Any], tuple[object, float]]] = {
    "classify": _read_classify,
    "predict": _read_predict,
    "custom_vision": _read_custom_vision,
    "container": _read_container,
}
