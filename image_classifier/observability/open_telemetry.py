"""Exports traces and metrics with OpenTelemetry; imported only where that is turned on.

The spans of a request and of its stages are made when the request has ended, with its recorded
times: until then they cost nothing. They are sent in the background, in batches; a batch that
cannot be sent in time is dropped, and no request waits for it.
"""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections.abc import Mapping
from uuid import uuid4

from opentelemetry import metrics, propagate, trace
from opentelemetry.context import Context, get_current
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.propagators.textmap import Getter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode

from image_classifier.observability.telemetry import ENDPOINTS, OK, Record

__all__ = ["OpenTelemetry", "from_environ"]

logger = logging.getLogger(__name__)

_SCOPE = "image_classifier"
_SERVICE = "image-classifier"
_NO_NAME = "unknown_service"
# Seconds. A stage takes a tenth of a millisecond, a download ten seconds.
_STAGE_BOUNDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1]
_STAGE_BOUNDS += [0.25, 0.5, 1.0, 2.5, 5.0, 10.0]
_REQUEST_BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75]
_REQUEST_BOUNDS += [1.0, 2.5, 5.0, 7.5, 10.0, 30.0]
# For a collector that does not answer; the end of the process waits as long, too.
_TIMEOUT_SECONDS = 3.0
_PROTOCOLS = tuple(name.replace("ENDPOINT", "PROTOCOL") for name in ENDPOINTS)


def from_environ(environ: Mapping[str, str]) -> OpenTelemetry | None:
    """Makes an exporter to the endpoints of the standard variables ``OTEL_…``.

    Where the host has set OpenTelemetry up already, as Azure's worker does for Application
    Insights, its providers are used and nothing is set up anew.

    Returns:
        The exporter; None if the variables turn it off.

    Raises:
        ValueError: the protocol is not supported.
    """
    if environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    tracers = trace.get_tracer_provider()
    if isinstance(tracers, TracerProvider):
        logger.info("Traces and metrics go the way that the host has set up.")
        return OpenTelemetry(tracers, metrics.get_meter_provider())
    if not any(environ.get(name, "").strip() for name in ENDPOINTS):
        raise ValueError(
            "PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY is true, but the host has set nothing up: "
            "add azure-monitor-opentelemetry to requirements.in and run `python -m tools.lock`."
        )
    for name in _PROTOCOLS:
        if environ.get(name, "").strip() not in ("", "http/protobuf"):
            raise ValueError(
                f"{name}={environ[name]!r}: only http/protobuf is here. Collectors take it on "
                "port 4318."
            )
    timeout = None if environ.get("OTEL_EXPORTER_OTLP_TIMEOUT") else _TIMEOUT_SECONDS
    resource = _resource()
    tracers = TracerProvider(resource=resource, shutdown_on_exit=False)
    if _sends(environ, "TRACES"):
        tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(timeout=timeout)))
    readers = []
    if _sends(environ, "METRICS"):
        readers = [PeriodicExportingMetricReader(OTLPMetricExporter(timeout=timeout))]
    meters = MeterProvider(readers, resource, shutdown_on_exit=False)
    _flush_at_exit(meters, tracers)
    return OpenTelemetry(tracers, meters)


def _flush_at_exit(*providers: MeterProvider | TracerProvider) -> None:
    """Sends the remaining spans and metrics when the process ends, within a few seconds.

    The SDK would wait for each batch in turn. The thread runs from the beginning, because none can
    be started while Python ends.
    """
    ending = threading.Event()

    def send() -> None:
        ending.wait()
        for provider in providers:
            provider.shutdown()

    thread = threading.Thread(target=send, name="telemetry", daemon=True)
    thread.start()

    def end() -> None:
        ending.set()
        thread.join(_TIMEOUT_SECONDS)

    atexit.register(end)


def _sends(environ: Mapping[str, str], signal: str) -> bool:
    endpoints = (ENDPOINTS[0], f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT")
    has_endpoint = any(environ.get(name, "").strip() for name in endpoints)
    return has_endpoint and environ.get(f"OTEL_{signal}_EXPORTER", "").strip().lower() != "none"


def _resource() -> Resource:
    """Describes the sender. Each process counts for itself, so each needs an id of its own."""
    configured = Resource.create()
    attributes = {"service.instance.id": str(uuid4())}
    if str(configured.attributes["service.name"]).startswith(_NO_NAME):
        attributes["service.name"] = _SERVICE
        return configured.merge(Resource(attributes))
    return Resource(attributes).merge(configured)


class _Headers(Getter[Record]):
    """Gives a propagator access to the headers of a request."""

    def get(self, carrier: Record, key: str) -> list[str] | None:
        value = carrier.header(key.lower())
        return [value] if value else None

    def keys(self, carrier: Record) -> list[str]:
        return []


_HEADERS = _Headers()


class OpenTelemetry:
    """Makes spans and metrics of requests.

    Args:
        tracers: takes the spans.
        meters: takes the metrics.
    """

    def __init__(self, tracers: trace.TracerProvider, meters: metrics.MeterProvider) -> None:
        self._tracer = tracers.get_tracer(_SCOPE)
        meter = meters.get_meter(_SCOPE)
        self._active = meter.create_up_down_counter(
            "image_classifier.active_requests", "{request}", "Requests that are being answered"
        )
        self._count = meter.create_counter(
            "image_classifier.requests", "{request}", "Requests by endpoint, model and outcome"
        )
        self._images = meter.create_counter(
            "image_classifier.images", "{image}", "Image files that were opened"
        )
        self._durations = meter.create_histogram(
            "image_classifier.request.duration",
            "s",
            "Duration of a request, until its answer",
            explicit_bucket_boundaries_advisory=_REQUEST_BOUNDS,
        )
        self._http = meter.create_histogram(
            "http.server.request.duration",
            "s",
            "Duration of HTTP server requests.",
            explicit_bucket_boundaries_advisory=_REQUEST_BOUNDS,
        )
        self._stages = meter.create_histogram(
            "image_classifier.stage.duration",
            "s",
            "Duration of each stage of a request: fetch, decode, preprocess, infer",
            explicit_bucket_boundaries_advisory=_STAGE_BOUNDS,
        )

    def began(self, record: Record) -> None:
        """Counts the request as active."""
        self._active.add(1, {"endpoint": record.endpoint})

    def ended(self, record: Record) -> None:
        """Counts the request, and makes its spans; a successful health probe has none."""
        self._active.add(-1, {"endpoint": record.endpoint})
        model = {} if record.model is None else {"model": record.model}
        labels = {"endpoint": record.endpoint, "outcome": record.outcome, **model}
        seconds = record.total / 1000
        context = self._parent(record)
        if not record.is_probe or record.outcome != OK:
            context = self._spans(record, context)
        # With the context, a metric can name a trace as its example.
        self._count.add(1, labels, context)
        self._durations.record(seconds, labels, context)
        if record.images:
            self._images.add(record.images, {"endpoint": record.endpoint, **model}, context)
        for name, milliseconds in record.times.items():
            self._stages.record(milliseconds / 1000, {"stage": name, **model}, context)
        if "http.request.method" in record.attributes and record.status is not None:
            status = {"http.response.status_code": record.status}
            self._http.record(seconds, {**record.attributes, **status, **_error(record)}, context)

    def _parent(self, record: Record) -> Context:
        """The trace that Azure's host has begun, or else the caller's own, if it sent one."""
        if trace.get_current_span().get_span_context().is_valid:
            return get_current()
        return propagate.extract(record, getter=_HEADERS)

    def _spans(self, record: Record, parent: Context) -> Context:
        now, now_ns = time.perf_counter(), time.time_ns()

        def clock(moment: float) -> int:
            return now_ns - int((now - moment) * 1e9)

        span = self._tracer.start_span(
            record.name,
            parent,
            SpanKind.CONSUMER if record.endpoint == "queue" else SpanKind.SERVER,
            {**record.attributes, **_facts(record), **_error(record)},
            start_time=clock(record.began),
        )
        context = trace.set_span_in_context(span, parent)
        if span.is_recording():
            for stage in record.stages:
                child = self._tracer.start_span(stage.name, context, start_time=clock(stage.began))
                child.end(clock(stage.ended))
            if record.is_fault:
                span.set_status(Status(StatusCode.ERROR))
            record.trace_id = format(span.get_span_context().trace_id, "032x")
        span.end(clock(record.began) + int(record.total * 1e6))
        return context


def _error(record: Record) -> dict[str, str]:
    return {} if record.outcome == OK else {"error.type": record.outcome}


def _facts(record: Record) -> dict[str, str | int]:
    facts = {
        "http.response.status_code": record.status if _is_http(record) else None,
        "image_classifier.endpoint": record.endpoint,
        "image_classifier.model": record.model,
        "image_classifier.version": record.version,
        "image_classifier.engine": record.engine,
        "image_classifier.images": record.images or None,
        "image_classifier.bytes": record.size or None,
    }
    return {name: value for name, value in facts.items() if value is not None}


def _is_http(record: Record) -> bool:
    return "http.request.method" in record.attributes
