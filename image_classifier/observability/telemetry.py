"""One record for each request: by which endpoint it came, what answered, how long each stage took.

An endpoint opens the record with ``request``. Whoever learns something of the request says so with
``chose``, ``took`` and the like, without being handed the record. At its end it becomes one line in
the log, and goes to those that ``watch``: OpenTelemetry, and the model server's counters.

There is never anything in it that a caller wrote: no URL, no key, no name that is not a model's.
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
    "Watcher",
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
# The standard's own names: for all that is sent, or for one kind of it.
ENDPOINTS = (
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
)
# A batch of a thousand images has thousands of stages: their sums count, and the first of them.
_MOST_STAGES = 48


class Stage(NamedTuple):
    """One stage; both times are of ``time.perf_counter()``."""

    name: str
    began: float
    ended: float


@dataclass(slots=True)
class Record:
    """What is known of one request.

    Attributes:
        endpoint: which of the ways in.
        name: what was called, as in "POST /api/classify": never more of them than there are routes.
        attributes: more of the call, under OpenTelemetry's own names.
        header: gives a header of the call by its lower-case name; for ``traceparent``.
        began: ``time.perf_counter()``.
        outcome: ``ok``, or the code of the error that the caller was told.
        status: of HTTP, where there is one; over gRPC, what REST would have answered.
        model: name of the model; None until one is chosen.
        version: its number.
        engine: what ran it.
        images: image files that were looked into.
        size: their bytes.
        stages: the first of them, in order.
        times: milliseconds that each kind of stage took, all of its kind together.
        total: milliseconds from beginning to end; 0 before the end.
        is_look: it asked how a model is doing, and for no work.
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
    is_look: bool = False
    trace_id: str | None = None

    @property
    def is_fault(self) -> bool:
        """Whether it failed, and not by what the caller sent."""
        return self.outcome != OK and (self.status is None or self.status >= 500)


class Watcher(Protocol):
    """Who is told of every request. Called by any thread; what it raises is logged."""

    def began(self, record: Record) -> None:
        """A request has come; only endpoint, name and attributes are known."""

    def ended(self, record: Record) -> None:
        """It is answered, and all is known."""


_current: ContextVar[Record | None] = ContextVar("request", default=None)
_watchers: tuple[Watcher, ...] = ()


def subscribe(watcher: Watcher) -> Callable[[], None]:
    """Tells it of every request from now on, until what this returns is called."""
    global _watchers
    _watchers = (*_watchers, watcher)

    def stop() -> None:
        global _watchers
        _watchers = tuple(each for each in _watchers if each is not watcher)

    return stop


@contextmanager
def request(
    endpoint: str,
    name: str,
    *,
    attributes: Mapping[str, str] | None = None,
    header: Callable[[str], str | None] | None = None,
) -> Iterator[Record]:
    """Keeps a record of what happens in the ``with`` block; see ``Record`` for the arguments."""
    record = Record(endpoint, name, attributes or {}, header or _no_header, time.perf_counter())
    token = _current.set(record)
    watchers = _watchers  # the same at the end: what goes up must come down
    _tell(watchers, "began", record)
    try:
        yield record
    except BaseException as exc:
        if record.outcome == OK:
            record.outcome = exc.code if isinstance(exc, ClassifierError) else _BUG
        raise
    finally:
        _current.reset(token)
        record.total = (time.perf_counter() - record.began) * 1000
        _tell(watchers, "ended", record)
        level = logging.DEBUG if record.is_look and record.outcome == OK else logging.INFO
        if requests.isEnabledFor(level):
            requests.log(level, "%s", log_line(record))


def set_error(code: str) -> None:
    """The caller is told of an error; its code, and never its words, which may hold a URL."""
    if record := _current.get():
        record.outcome = code


def mark_probe() -> None:
    """It asks how a model is doing: a probe does so every few seconds, and nobody reads of it."""
    if record := _current.get():
        record.is_look = True


def set_model(model: str, version: int | None, engine: str | None = None) -> None:
    """The model and version that are to answer, as soon as they are known; then the engine."""
    if record := _current.get():
        record.model, record.version, record.engine = model, version, engine


def add_image(size: int) -> None:
    """An image file of so many bytes is looked into."""
    if record := _current.get():
        record.images += 1
        record.size += size


def add_stages(stages: Iterable[tuple[str, float]]) -> None:
    """These stages came one after the other, the last just now; milliseconds for each."""
    record = _current.get()
    if record is None:
        return
    found = list(stages)
    ended = time.perf_counter()
    began = ended - sum(milliseconds for _, milliseconds in found) / 1000
    for name, milliseconds in found:
        record.times[name] = record.times.get(name, 0.0) + milliseconds
        ended = began + milliseconds / 1000
        if len(record.stages) < _MOST_STAGES:
            record.stages.append(Stage(name, began, ended))
        began = ended


def log_line(record: Record) -> str:
    """The record as JSON on one line; what is not known is left out."""
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


def _tell(watchers: Iterable[Watcher], what: str, record: Record) -> None:
    for watcher in watchers:
        try:
            getattr(watcher, what)(record)
        except Exception:
            logger.exception("a request was not recorded")


def _no_header(_: str) -> None:
    return None
