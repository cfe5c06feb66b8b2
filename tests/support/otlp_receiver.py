"""A collector for OpenTelemetry on this machine: keeps what is sent, decoded."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["OtlpReceiver", "attributes_of"]

WAIT_SECONDS = 20.0


class OtlpReceiver:
    """Listens for OTLP over HTTP, for the length of a ``with`` block.

    Attributes:
        url: for ``OTEL_EXPORTER_OTLP_ENDPOINT``.
        environ: the variables that make a process send here, and soon.
        resources: the attributes of each sender, as they came.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spans: list[Any] = []
        self._points: list[tuple[str, Any]] = []
        self.resources: list[Mapping[str, Any]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                receiver._keep(self.path, body)
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.environ = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.url,
            "OTEL_BSP_SCHEDULE_DELAY": "100",
            "OTEL_METRIC_EXPORT_INTERVAL": "200",
        }

    def __enter__(self) -> OtlpReceiver:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _keep(self, path: str, body: bytes) -> None:
        from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
            ExportMetricsServiceRequest,
        )
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
            ExportTraceServiceRequest,
        )

        with self._lock:
            if path == "/v1/traces":
                for each in ExportTraceServiceRequest.FromString(body).resource_spans:
                    self.resources.append(attributes_of(each.resource))
                    self._spans += [span for scope in each.scope_spans for span in scope.spans]
            elif path == "/v1/metrics":
                for each in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                    self.resources.append(attributes_of(each.resource))
                    self._points += _points(each)
            else:
                raise AssertionError(f"nothing is to be sent to {path}")

    def spans(self) -> list[Any]:
        """All spans so far."""
        with self._lock:
            return list(self._spans)

    def names(self) -> set[str]:
        """Of all metrics so far."""
        with self._lock:
            return {name for name, _ in self._points}

    def points(self, metric: str) -> list[Any]:
        """All points of a metric so far, the newest last."""
        with self._lock:
            return [point for name, point in self._points if name == metric]

    def wait_for(self, found: Callable[[], Any]) -> Any:
        """What ``found`` gives once it is something."""
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            if value := found():
                return value
            time.sleep(0.02)
        names = [span.name for span in self.spans()], {name for name, _ in self._points}
        raise AssertionError(f"it did not come; there are {names}")

    def wait_for_span(self, name: str) -> Any:
        """The first span of that name."""
        return self.wait_for(lambda: next((s for s in self.spans() if s.name == name), None))


def _points(resource_metrics: Any) -> Iterator[tuple[str, Any]]:
    for scope in resource_metrics.scope_metrics:
        for metric in scope.metrics:
            for point in getattr(metric, metric.WhichOneof("data")).data_points:
                yield metric.name, point


def attributes_of(message: Any) -> dict[str, Any]:
    """The attributes of a span, a point or a resource."""
    return {
        each.key: getattr(each.value, each.value.WhichOneof("value")) for each in message.attributes
    }
