"""A collector gets the requests to the app and to the model server, over real sockets."""

from __future__ import annotations

import base64
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON
from opentelemetry.trace import SpanKind, StatusCode

from image_classifier import Classifier
from image_classifier.bindings.classify_queue import classify_message
from image_classifier.observability import telemetry
from image_classifier.observability.open_telemetry import OpenTelemetry
from tests.support.builders import queue_message
from tests.support.model_servers import Client, ModelServer
from tests.support.otlp_receiver import OtlpReceiver, attributes_of
from tests.support.servers import ROOT, LocalHost, clean_environment

SAMPLE = ROOT / "frontend" / "samples" / "seven.png"
TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{CALLER}-01"
DIGITS = ("--model_name", "digits", "--model_base_path", "models/digits")


@pytest.fixture(scope="module")
def receiver() -> Iterator[OtlpReceiver]:
    with OtlpReceiver() as running:
        yield running


@pytest.fixture(scope="module")
def app(receiver: OtlpReceiver) -> Iterator[LocalHost]:
    more = {"OTEL_SERVICE_NAME": "pets", "FETCH_ALLOWED_HOSTS": "nobody.invalid"}
    with LocalHost(env={**receiver.environ, **more}) as host:
        yield host


def classify(app: LocalHost, body: bytes, **headers: str) -> requests.Response:
    return requests.post(f"{app.url}/api/classify", data=body, headers=headers, timeout=60)


def children(receiver: OtlpReceiver, span: Any) -> list[Any]:
    own = [each for each in receiver.spans() if each.parent_span_id == span.span_id]
    return sorted(own, key=lambda each: int(each.start_time_unix_nano))


def test_a_request_is_a_span_in_its_callers_trace_with_its_stages_below(
    app: LocalHost, receiver: OtlpReceiver
) -> None:
    assert classify(app, SAMPLE.read_bytes(), traceparent=TRACEPARENT).status_code == 200
    span = receiver.wait_for(
        lambda: next((s for s in receiver.spans() if s.parent_span_id.hex() == CALLER), None)
    )
    stages = receiver.wait_for(lambda: children(receiver, span))
    found = attributes_of(span)

    assert span.name == "POST /api/classify"
    assert span.trace_id.hex() == TRACE
    assert span.kind == span.SPAN_KIND_SERVER
    assert {key: found[key] for key in found if not key.startswith("image_")} == {
        "http.request.method": "POST",
        "http.route": "/api/classify",
        "http.response.status_code": 200,
    }
    assert found["image_classifier.model"] == "digits"
    assert found["image_classifier.version"] == 1
    assert found["image_classifier.bytes"] == SAMPLE.stat().st_size
    assert [stage.name for stage in stages] == ["decode", "preprocess", "infer"]
    for stage in stages:
        assert span.start_time_unix_nano <= stage.start_time_unix_nano
        assert stage.start_time_unix_nano <= stage.end_time_unix_nano <= span.end_time_unix_nano
    assert f'"trace_id": "{TRACE}"' in app.log()


def test_an_error_of_the_callers_has_its_code_and_is_no_fault(
    app: LocalHost, receiver: OtlpReceiver
) -> None:
    asked = f"{app.url}/api/classify?img=https://example.com/a.png%3Fsig=secret&code=secret"
    assert requests.get(asked, timeout=60).status_code == 403
    span = receiver.wait_for_span("GET /api/classify")

    assert attributes_of(span)["error.type"] == "FetchBlocked"
    assert span.status.code == span.status.STATUS_CODE_UNSET
    assert all(b"secret" not in each.SerializeToString() for each in receiver.spans())


def test_requests_and_stages_are_counted_by_endpoint_model_and_outcome(
    app: LocalHost, receiver: OtlpReceiver
) -> None:
    classify(app, SAMPLE.read_bytes())
    classify(app, b"no picture")

    def newest(metric: str, **wanted: Any) -> Any:
        points = [p for p in receiver.points(metric) if wanted.items() <= attributes_of(p).items()]
        return points[-1] if points else None

    labels = {"endpoint": "classify", "outcome": "UnsupportedImage", "model": "digits"}
    counted = receiver.wait_for(lambda: newest("image_classifier.requests", **labels))
    duration = newest("image_classifier.request.duration", **labels)
    refused = {"http.response.status_code": 415, "error.type": "UnsupportedImage"}

    assert counted.as_int == duration.count == 1
    assert duration.sum > 0
    assert newest("http.server.request.duration", **refused).count == 1
    assert newest("image_classifier.stage.duration", stage="infer", model="digits").count >= 1
    assert newest("image_classifier.active_requests", endpoint="classify").as_int == 0


def test_probes_are_counted_and_leave_no_trace(app: LocalHost, receiver: OtlpReceiver) -> None:
    assert requests.get(f"{app.url}/api/status?probe=ready", timeout=60).status_code == 200
    receiver.wait_for(
        lambda: [
            point
            for point in receiver.points("image_classifier.requests")
            if attributes_of(point)["endpoint"] == "status"
        ]
    )

    assert "GET /api/status" not in [span.name for span in receiver.spans()]


def test_who_sends_is_told_by_the_standard_variables(
    app: LocalHost, receiver: OtlpReceiver
) -> None:
    receiver.wait_for(lambda: receiver.resources)

    assert {each["service.name"] for each in receiver.resources} == {"pets"}
    assert len({each["service.instance.id"] for each in receiver.resources}) == 1


def test_both_endpoints_of_the_model_server_are_traced() -> None:
    body = {
        "signature_name": "bytes",
        "instances": [{"b64": base64.b64encode(SAMPLE.read_bytes()).decode()}],
    }
    with OtlpReceiver() as receiver:
        environ = {**receiver.environ, "OTEL_METRICS_EXPORTER": "none"}
        with ModelServer(*DIGITS, env=environ) as server:
            answer = requests.post(
                f"{server.rest_url}/v1/models/digits:predict",
                json=body,
                headers={"traceparent": TRACEPARENT},
                timeout=60,
            )
            assert answer.json() == {"predictions": ["7"]}
            with Client(server.address, metadata=[("traceparent", TRACEPARENT)]) as client:
                client.predict("digits", {"image": [SAMPLE.read_bytes()]}, signature="bytes")
                with pytest.raises(Exception, match="NOT_FOUND"):
                    client.predict("other", {"image": [b""]}, signature="bytes")
            server.stop()  # what was not sent yet is sent now
            log = server.log()
        spans = [span for span in receiver.spans() if span.kind == span.SPAN_KIND_SERVER]
        stages = children(receiver, spans[1])
        found = [(span.name, attributes_of(span)) for span in spans]
        names = {each["service.name"] for each in receiver.resources}

    assert {span.trace_id.hex() for span in spans} == {TRACE}
    assert [name for name, _ in found] == [
        "POST /v1/models/{model}:predict",
        "tensorflow.serving.PredictionService/Predict",
        "tensorflow.serving.PredictionService/Predict",
    ]
    assert found[0][1]["http.route"] == "/v1/models/{model}:predict"
    assert found[1][1]["rpc.method"] == "Predict"
    assert found[1][1]["image_classifier.engine"] == "onnx"
    assert found[2][1]["error.type"] == "NOT_FOUND"
    assert [stage.name for stage in stages] == ["decode", "preprocess", "infer"]
    assert receiver.points("image_classifier.requests") == []
    assert names == {"image-classifier"}
    assert '{"endpoint": "grpc", "outcome": "NOT_FOUND", "status": 404' in log
    assert '{"endpoint": "rest", "outcome": "ok", "status": 200, "model": "digits"' in log


def finished(*, sampled: bool = True) -> tuple[InMemorySpanExporter, OpenTelemetry]:
    """Where spans end up, and what makes them."""
    kept = InMemorySpanExporter()
    tracers = TracerProvider(sampler=ALWAYS_ON if sampled else ALWAYS_OFF)
    tracers.add_span_processor(SimpleSpanProcessor(kept))
    return kept, OpenTelemetry(tracers, MeterProvider())


def test_a_message_of_the_queue_is_consumed_and_its_failure_is_a_fault(
    classifier: Classifier,
) -> None:
    kept, watcher = finished()
    stop = telemetry.subscribe(watcher)
    try:
        classify_message(queue_message("ftp://example.com/secret.png"), classifier)
    finally:
        stop()
    request = kept.get_finished_spans()[-1]

    assert request.name == "process images"
    assert request.kind is SpanKind.CONSUMER
    assert request.status.status_code is StatusCode.ERROR
    assert request.attributes is not None
    assert request.attributes["messaging.destination.name"] == "images"
    assert request.attributes["error.type"] == "FetchBlocked"
    assert "secret" not in request.to_json()


@pytest.mark.parametrize(("status", "is_error"), [(404, False), (503, True)])
def test_only_what_is_not_the_callers_mistake_makes_a_span_an_error(
    status: int, is_error: bool
) -> None:
    kept, watcher = finished()
    stop = telemetry.subscribe(watcher)
    try:
        with telemetry.request("classify", "GET /api/classify") as record:
            record.outcome, record.status = "Odd", status
    finally:
        stop()
    (span,) = kept.get_finished_spans()

    assert (span.status.status_code is StatusCode.ERROR) == is_error


def test_a_trace_that_is_not_sampled_costs_no_spans_and_has_no_id_in_the_log() -> None:
    kept, watcher = finished(sampled=False)
    stop = telemetry.subscribe(watcher)
    try:
        with telemetry.request("classify", "GET /api/classify") as record:
            telemetry.add_stages([("infer", 1.0)])
    finally:
        stop()

    assert kept.get_finished_spans() == ()
    assert record.trace_id is None


def run(program: str, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", program]
    env = clean_environment() | environ
    return subprocess.run(
        command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=True
    )


def test_a_collector_that_never_answers_holds_up_neither_requests_nor_the_end() -> None:
    program = """
import logging, os, time
logging.disable(logging.CRITICAL)
from image_classifier.observability import telemetry
from image_classifier.observability.exporters import configure_exporters
configure_exporters(os.environ)
assert telemetry._subscribers
worst = 0.0
for _ in range(5000):
    started = time.perf_counter()
    with telemetry.request("classify", "GET /api/classify"):
        telemetry.add_stages([("infer", 1.0)])
    worst = max(worst, time.perf_counter() - started)
print(worst)
"""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        done = run(
            program,
            OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{silent.getsockname()[1]}",
            OTEL_BSP_SCHEDULE_DELAY="50",
            OTEL_METRIC_EXPORT_INTERVAL="50",
        )
        took = time.monotonic() - started

    assert float(done.stdout) < 2, "a request waited for the collector, which takes 3 s"
    assert took < 10, "all that waits would take 15 s to be given up"


def test_providers_that_azures_worker_has_set_up_are_used_and_its_trace_is_the_parent() -> None:
    """As the worker does it for Application Insights before it loads the functions."""
    program = """
import os
from opentelemetry import context, trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
kept = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(kept))
trace.set_tracer_provider(provider)
from image_classifier.observability import telemetry
from image_classifier.observability.exporters import configure_exporters
configure_exporters(os.environ)
context.attach(TraceContextTextMapPropagator().extract({"traceparent": os.environ["HOSTS"]}))
header = {"traceparent": os.environ["CALLERS"]}.get
with telemetry.request("classify", "GET /api/classify", header=header):
    telemetry.add_stages([("infer", 1.0)])
for span in kept.get_finished_spans():
    print(span.name.split()[-1], format(span.context.trace_id, "032x"))
"""
    hosts = TRACE.replace("0af7", "beef")
    done = run(
        program,
        HOSTS=f"00-{hosts}-{CALLER}-01",
        CALLERS=TRACEPARENT,
        PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY="true",
    )

    assert done.stdout.splitlines() == [f"infer {hosts}", f"/api/classify {hosts}"]
