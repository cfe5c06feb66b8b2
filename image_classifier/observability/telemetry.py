"""Records each request: its endpoint, its outcome, its model, and the duration of each stage.

An endpoint opens the record with ``request``. Deeper code adds to it with ``set_model``,
``add_stages`` and the like, without a reference to the record. At its end the record becomes one
line in the log, and goes to the subscribers: OpenTelemetry, and the model server's counters.

A record never holds a caller's text: no URL, no key, no name that is not a model's.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from image_classifier.errors import ClassifierError

__all__ = [
    "ENDPOINTS",
    "OK",
    "Record",
    "Stage",
    "Subscriber",
    "set_model",
    "set_error",
    "log_line",
    "mark_probe",
    "add_image",
    "request",
    "add_stages",
    "subscribe",
]

logger = logging.getLogger(__name__)
requests = logging.getLogger("image_classifier.requests")

OK = "ok"
_BUG = "InternalError"
# The standard's own names: for all signals, or for one.
ENDPOINTS = (
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
)
# A batch of a thousand images has thousands of stages: the sums of all are kept, and the first few.
_MOST_STAGES = 48


class Stage(NamedTuple):
    """One stage of a request, in seconds of ``time.perf_counter()``."""

    name: str
    began: float
    ended: float


@dataclass(slots=True)
class Record:
    """The record of one request.

    Attributes:
        endpoint: short name of the endpoint, such as ``classify``.
        name: method and route, as in "POST /api/classify": there are as many names as routes.
        attributes: more about the request, under OpenTelemetry's own names.
        header: returns a header of the request by its lower-case name; for ``traceparent``.
        began: ``time.perf_counter()``.
        outcome: ``ok``, or the code of the error in the response.
        status: of HTTP, where there is one; over gRPC, the status that REST would have.
        model: name of the model; None until one is chosen.
        version: its number.
        engine: name of the engine that ran it.
        images: number of image files that were opened.
        size: their bytes.
        stages: the first of them, in order.
        times: milliseconds of each kind of stage, summed.
        total: milliseconds from beginning to end; 0 before the end.
        is_probe: whether it was a health probe or a status request.
        trace_id: of its trace, if there is one.
    """

    endpoint: str
    name: str
    attributes: Mapping[str, str]
    header: Callable[[str], str | None]
    began: float
    outcome: str = OK
    status: int | None = None
    model: str | None = None
    version: int | None = None
    engine: str | None = None
    images: int = 0
    size: int = 0
    stages: list[Stage] = field(default_factory=list)
    times: dict[str, float] = field(default_factory=dict)
    total: float = 0.0
    is_probe: bool = False
    trace_id: str | None = None

    @property
    def is_fault(self) -> bool:
        """Whether it failed through no fault of the caller."""
        return self.outcome != OK and (self.status is None or self.status >= 500)


class Subscriber(Protocol):
    """Receives every request. Called by any thread; its errors are logged."""

    def began(self, record: Record) -> None:
        """Called when a request has come; only endpoint, name and attributes are known."""

    def ended(self, record: Record) -> None:
        """Called when it is answered; the record is complete."""


_current: ContextVar[Record | None] = ContextVar("request", default=None)
_subscribers: tuple[Subscriber, ...] = ()


def subscribe(subscriber: Subscriber) -> Callable[[], None]:
    """Passes every request to a subscriber from now on.

    Returns:
        A function that ends the subscription.
    """
    global _subscribers
    _subscribers = (*_subscribers, subscriber)

    def stop() -> None:
        global _subscribers
        _subscribers = tuple(each for each in _subscribers if each is not subscriber)

    return stop


@contextmanager
def request(
    endpoint: str,
    name: str,
    *,
    attributes: Mapping[str, str] | None = None,
    header: Callable[[str], str | None] | None = None,
) -> Iterator[Record]:
    """Records the request that the ``with`` block handles; see ``Record`` for the arguments."""
    record = Record(endpoint, name, attributes or {}, header or _no_header, time.perf_counter())
    token = _current.set(record)
    subscribers = _subscribers  # the same at the end: each active count must come down again
    _notify(subscribers, "began", record)
    try:
        yield record
    except BaseException as exc:
        if record.outcome == OK:
            record.outcome = exc.code if isinstance(exc, ClassifierError) else _BUG
        raise
    finally:
        _current.reset(token)
        record.total = (time.perf_counter() - record.began) * 1000
        _notify(subscribers, "ended", record)
        level = logging.DEBUG if record.is_probe and record.outcome == OK else logging.INFO
        if requests.isEnabledFor(level):
            requests.log(level, "%s", log_line(record))


def set_error(code: str) -> None:
    """Records the code of the error in the response; never its message, which may hold a URL."""
    if record := _current.get():
        record.outcome = code


def mark_probe() -> None:
    """Marks the request as a health probe, which is logged at DEBUG only."""
    if record := _current.get():
        record.is_probe = True


def set_model(model: str, version: int | None, engine: str | None = None) -> None:
    """Records the model and version, as soon as they are known; later the engine, too."""
    if record := _current.get():
        record.model, record.version, record.engine = model, version, engine


def add_image(size: int) -> None:
    """Counts an image file and its bytes."""
    if record := _current.get():
        record.images += 1
        record.size += size


def add_stages(stages: Iterable[tuple[str, float]]) -> None:
    """Records stages that ran one after the other until now; name and milliseconds of each."""
    record = _current.get()
    if record is None:
        return
    durations = list(stages)
    ended = time.perf_counter()
    began = ended - sum(milliseconds for _, milliseconds in durations) / 1000
    for name, milliseconds in durations:
        record.times[name] = record.times.get(name, 0.0) + milliseconds
        ended = began + milliseconds / 1000
        if len(record.stages) < _MOST_STAGES:
            record.stages.append(Stage(name, began, ended))
        began = ended


def log_line(record: Record) -> str:
    """The record as JSON on one line, without unknown values."""
    shown: dict[str, str | int | float | None] = {
        "endpoint": record.endpoint,
        "outcome": record.outcome,
        "status": record.status,
        "model": record.model,
        "version": record.version,
        "engine": record.engine,
        "images": record.images or None,
        "bytes": record.size or None,
        "total_ms": round(record.total, 2),
    }
    shown |= {f"{name}_ms": round(value, 2) for name, value in record.times.items()}
    shown["trace_id"] = record.trace_id
    return json.dumps({name: value for name, value in shown.items() if value is not None})


def _notify(subscribers: Iterable[Subscriber], event: str, record: Record) -> None:
    for subscriber in subscribers:
        try:
            getattr(subscriber, event)(record)
        except Exception:
            logger.exception("a request was not recorded")


def _no_header(_: str) -> None:
    return None
