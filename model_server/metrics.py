"""Counts and times of requests, in Prometheus's text format under TensorFlow Serving's names."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager

from image_classifier.contracts.serving_error import Code, ServingError

__all__ = ["Metrics"]

_PREFIX = ":tensorflow:serving:"
# Microseconds: TensorFlow Serving's exponential buckets.
_BOUNDS = tuple(10 * 1.8**power for power in range(33))


# Looking at a model is not work, and is not counted by TensorFlow Serving either.
_COUNTED = frozenset({"Predict", "Classify", "Regress", "MultiInference"})


class _Histogram:
    def __init__(self) -> None:
        self.counts = [0] * (len(_BOUNDS) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        self.counts[bisect_left(_BOUNDS, value)] += 1
        self.total += value


class Metrics:
    """Counters of one server, for both of its doors."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: dict[tuple[str, str], int] = {}
        self._latencies: dict[tuple[str, str, str], _Histogram] = {}

    @contextmanager
    def measured(self, model: str, api: str, entrypoint: str) -> Iterator[None]:
        """Counts what happens in the ``with`` block: an error by its code."""
        started = time.perf_counter()
        code = Code.OK
        try:
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
        """Counts one request; names of models that are not there are kept out."""
        if api not in _COUNTED:
            return
        # Who asks for a thousand models that do not exist must not fill the memory.
        model = "" if code is Code.NOT_FOUND else model
        with self._lock:
            key = (model, code.name)
            self._requests[key] = self._requests.get(key, 0) + 1
            if code is Code.OK:
                times = self._latencies.setdefault((model, api, entrypoint), _Histogram())
                times.add(seconds * 1e6)

    def text(self) -> str:
        """All of them, as Prometheus reads them."""
        with self._lock:
            lines = [f"# TYPE {_PREFIX}request_count counter"]
            for (model, status), count in sorted(self._requests.items()):
                labels = f'model_name="{_escaped(model)}",status="{status}"'
                lines.append(f"{_PREFIX}request_count{{{labels}}} {count}")
            lines.append(f"# TYPE {_PREFIX}request_latency histogram")
            for (model, api, entrypoint), times in sorted(self._latencies.items()):
                labels = f'model_name="{_escaped(model)}",API="{api}",entrypoint="{entrypoint}"'
                lines += _histogram_lines(f"{_PREFIX}request_latency", labels, times)
        return "\n".join(lines) + "\n"


def _histogram_lines(name: str, labels: str, times: _Histogram) -> Iterator[str]:
    so_far = 0
    for bound, count in zip((*map(_short, _BOUNDS), "+Inf"), times.counts, strict=True):
        so_far += count
        yield f'{name}_bucket{{{labels},le="{bound}"}} {so_far}'
    yield f"{name}_sum{{{labels}}} {_short(times.total)}"
    yield f"{name}_count{{{labels}}} {so_far}"


def _short(value: float) -> str:
    return f"{value:g}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
