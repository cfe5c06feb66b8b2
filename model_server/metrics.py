"""Counts and times requests, in Prometheus's text format under TensorFlow Serving's names.

Figures that TensorFlow Serving does not have (stages, running requests) have names of our own.
"""

from __future__ import annotations

import platform
import threading
import time
from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

from image_classifier.observability.telemetry import Record
from image_classifier.protocols.tf_serving.errors import Code, ServingError
from model_server import VERSION

__all__ = ["Metrics"]

_PREFIX = ":tensorflow:serving:"
_OUR_PREFIX = "image_classifier_"
# TensorFlow Serving's exponential buckets: of microseconds, and of examples in a request.
_MICROSECONDS = tuple(10 * 1.8**power for power in range(33))
_EXAMPLES = tuple(float(2**power) for power in range(15))

_STAGE_SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25]
_STAGE_SECONDS += [0.5, 1.0, 2.5, 5.0, 10.0]

# Requests for status and metadata are not counted, as in TensorFlow Serving.
_COUNTED = frozenset({"Predict", "Classify", "Regress", "MultiInference"})
_ABOUT_EXAMPLES = _COUNTED - {"Predict"}

_Labels = tuple[str, ...]


class _Counter:
    kind = "counter"

    def __init__(self, *labels: str) -> None:
        self._labels = labels
        self._counts: dict[_Labels, int] = {}

    def add(self, values: _Labels, count: int) -> None:
        self._counts[values] = self._counts.get(values, 0) + count

    def lines(self, name: str) -> Iterator[str]:
        yield f"# TYPE {name} {self.kind}"
        for values, count in sorted(self._counts.items()):
            yield f"{name}{{{_written(self._labels, values)}}} {count}"


class _Gauge(_Counter):
    kind = "gauge"


class _Histogram:
    def __init__(self, bounds: Sequence[float], *labels: str) -> None:
        self._bounds = bounds
        self._labels = labels
        self._counts: dict[_Labels, list[int]] = {}
        self._totals: dict[_Labels, float] = {}

    def add(self, values: _Labels, value: float) -> None:
        counts = self._counts.setdefault(values, [0] * (len(self._bounds) + 1))
        counts[bisect_left(self._bounds, value)] += 1
        self._totals[values] = self._totals.get(values, 0.0) + value

    def lines(self, name: str) -> Iterator[str]:
        yield f"# TYPE {name} histogram"
        for values, counts in sorted(self._counts.items()):
            labels = _written(self._labels, values)
            so_far = 0
            for bound, count in zip((*map(_short, self._bounds), "+Inf"), counts, strict=True):
                so_far += count
                yield f'{name}_bucket{{{labels},le="{bound}"}} {so_far}'
            yield f"{name}_sum{{{labels}}} {_short(self._totals[values])}"
            yield f"{name}_count{{{labels}}} {so_far}"


class Metrics:
    """Counters of one server, for both of its endpoints."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calling = threading.local()
        self._names: Collection[str] = frozenset()
        self._requests = _Counter("model_name", "status")
        self._latencies = _Histogram(_MICROSECONDS, "model_name", "API", "entrypoint")
        self._runs = _Histogram(_MICROSECONDS, "model_name", "API", "runtime")
        self._examples = _Histogram(_EXAMPLES, "model")
        self._all_examples = _Counter("model")
        self._stages = _Histogram(_STAGE_SECONDS, "model_name", "stage")
        self._active = _Gauge("entrypoint")
        built = _Gauge("version", "python")
        built.add((VERSION, platform.python_version()), 1)
        # In the order of their names, as TensorFlow Serving has them.
        self._shown: Mapping[str, _Counter | _Histogram] = {
            "request_count": self._requests,
            "request_example_count_total": self._all_examples,
            "request_example_counts": self._examples,
            "request_latency": self._latencies,
            "runtime_latency": self._runs,
        }
        self._ours: Mapping[str, _Counter | _Histogram] = {
            "build_info": built,
            "requests_in_flight": self._active,
            "stage_duration_seconds": self._stages,
        }

    def know(self, names: Collection[str]) -> None:
        """Counts these models by name from now on, and all others together, as the name ""."""
        # Requests for a thousand unknown models must not fill the memory.
        self._names = frozenset(names)

    @contextmanager
    def calling(self, api: str) -> Iterator[None]:
        """Names the API for the runs of this thread in the ``with`` block."""
        self._calling.api = api
        self._calling.wants_examples = api in _ABOUT_EXAMPLES
        try:
            yield
        finally:
            del self._calling.api, self._calling.wants_examples

    @contextmanager
    def measured(self, model: str, api: str, entrypoint: str) -> Iterator[None]:
        """Counts the ``with`` block as a request, an error by its code."""
        started = time.perf_counter()
        code = Code.OK
        try:
            with self.calling(api):
                yield
        except ServingError as exc:
            code = exc.code
            raise
        except Exception:
            code = Code.INTERNAL
            raise
        finally:
            self.add(model, api, entrypoint, code, time.perf_counter() - started)

    def add(self, model: str, api: str, entrypoint: str, code: Code, seconds: float) -> None:
        """Counts one request."""
        if api not in _COUNTED:
            return
        model = model if model in self._names else ""
        with self._lock:
            self._requests.add((model, code.name), 1)
            if code is Code.OK:
                self._latencies.add((model, api, entrypoint), seconds * 1e6)

    def add_run(self, model: str, runtime: str, seconds: float, rows: int) -> None:
        """Counts one run of a model on that many rows, within ``calling``."""
        with self._lock:
            self._runs.add((model, self._calling.api, runtime), seconds * 1e6)
            if self._calling.wants_examples:
                self._calling.wants_examples = False  # several tasks have the same examples
                self._examples.add((model,), rows)
                self._all_examples.add((model,), rows)

    def began(self, record: Record) -> None:
        """Counts a request that has begun, by any endpoint."""
        with self._lock:
            self._active.add((record.endpoint.upper(),), 1)

    def ended(self, record: Record) -> None:
        """Counts its end and its stages."""
        with self._lock:
            self._active.add((record.endpoint.upper(),), -1)
            if record.model is not None and record.model in self._names:
                for stage, milliseconds in record.times.items():
                    self._stages.add((record.model, stage), milliseconds / 1000)

    def text(self) -> str:
        """Returns all of them in Prometheus's text format."""
        shown = {_PREFIX + name: each for name, each in self._shown.items()}
        shown |= {_OUR_PREFIX + name: each for name, each in self._ours.items()}
        with self._lock:
            parts = [line for name, each in shown.items() for line in each.lines(name)]
        return "\n".join(parts) + "\n"


def _written(names: Sequence[str], values: Sequence[str]) -> str:
    pairs = zip(names, values, strict=True)
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in pairs)


def _short(value: float) -> str:
    return f"{value:g}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
