"""Measures numbers of threads for one inference: for one caller, and for many at once."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from benchmarks.data.synthetic_images import jpeg
from benchmarks.data.workload import Workload, open_workload
from benchmarks.harness.case import MILLISECONDS, RATE, Case, Measured, WrongAnswer
from benchmarks.harness.machine import cores
from benchmarks.harness.statistics import Samples
from image_classifier.engines.base import Engine, EngineOptions
from image_classifier.engines.onnx import OnnxEngine
from image_classifier.engines.registry import ENGINES
from image_classifier.images.decode import decode
from image_classifier.images.preprocess import preprocess

CALLERS = (1, 2, 4, 8)
SECONDS, QUICK_SECONDS = 0.25, 0.1  # of one load
DEFAULT = "ENGINE_THREADS=0 (default)"
SPINNING = "ONNX Runtime's own default"
SCORES_TOLERANCE = 1e-4
MAX_PIXELS = 50_000_000


@contextmanager
def cases(quick: bool) -> Iterator[list[Case]]:
    """Yields the one case."""
    with open_workload() as workload:
        yield [threads_case(workload, quick=quick)]


def threads_case(workload: Workload, *, quick: bool) -> Case:
    """Compares settings, each with one, two, four and eight callers."""
    data = jpeg(600, 600)
    engines = _engines(workload.folder)
    expected = _answer(engines[DEFAULT], data)

    def check(name: str, answers: Mapping[str, Any]) -> None:
        for who, scores in answers.items():
            difference = float(np.abs(scores - expected).max())
            if not difference <= SCORES_TOLERANCE:
                raise WrongAnswer(f"{who}, {name}: a score differs by {difference}.")

    seconds = QUICK_SECONDS if quick else SECONDS
    return Case(
        name="threads",
        description=f"in process, a 600 x 600 JPEG to scores, {cores()} cores; callers are threads "
        f"of one process, each asks again when it has its answer; {workload.description}",
        implementations={
            who: partial(_load, partial(_answer, engine, data), seconds)
            for who, engine in engines.items()
        },
        inputs={f"{n} caller{'s' if n > 1 else ''}": n for n in CALLERS},
        check=check,
        rounds=2 if quick else 6,
        notes=_notes,
    )


def _engines(folder: Path) -> dict[str, Engine]:
    """Loads an engine for each setting; all stay loaded, one runs at a time."""
    weights = folder / "model.onnx"
    counts = {DEFAULT: 0, "ENGINE_THREADS=1": 1, f"ENGINE_THREADS={cores()} (cores)": cores()}
    load = ENGINES["onnx"].load
    engines = {
        name: load(weights, None, EngineOptions(threads=count)) for name, count in counts.items()
    }
    session = ort.InferenceSession(str(weights), providers=["CPUExecutionProvider"])
    engines[SPINNING] = OnnxEngine(weights, session, engines[DEFAULT].input_spec)
    return engines


def _answer(engine: Engine, data: bytes) -> NDArray[np.float32]:
    tensor = preprocess(decode(data, max_pixels=MAX_PIXELS), engine.input_spec)
    scores: NDArray[np.float32] = engine.predict(tensor[None])[0]
    return scores


def _load(answer: Callable[[], NDArray[np.float32]], seconds: float, callers: int) -> Measured:
    """Runs a closed loop; returns all latencies and the answer that differs most."""
    begin = threading.Barrier(callers)

    def caller(_: int) -> list[tuple[float, float, NDArray[np.float32]]]:
        done = []
        begin.wait()
        end = time.perf_counter() + seconds
        while (started := time.perf_counter()) < end:
            scores = answer()
            now = time.perf_counter()
            done.append((now, (now - started) * 1000, scores))
        return done

    with ThreadPoolExecutor(callers) as pool:
        started = time.perf_counter()
        calls = [one for done in pool.map(caller, range(callers)) for one in done]
    elapsed = max(now for now, _, _ in calls) - started
    latencies = [latency for _, latency, _ in calls]
    scores = np.stack([scores for _, _, scores in calls])
    furthest = int(np.abs(scores - scores[0]).max(axis=1).argmax())
    return Measured(scores[furthest], {MILLISECONDS: latencies, RATE: len(calls) / elapsed})


def _notes(samples: Samples) -> list[str]:
    lines = []
    for name in samples.inputs():
        rates = {
            who: statistics.median(samples.values(who, name, RATE))
            for who in samples.implementations()
        }
        times = {who: samples.median(who, name, MILLISECONDS) for who in rates}
        most, least = max(rates, key=rates.__getitem__), min(times, key=times.__getitem__)
        lines.append(
            f"{name}: most answers a second with {most} ({rates[most]:.1f}; the default "
            f"{rates[DEFAULT]:.1f}); shortest median with {least} ({times[least]:.1f} ms; the "
            f"default {times[DEFAULT]:.1f} ms)."
        )
    return [
        *lines,
        f"{SPINNING}: a thread for each core, which spin while they wait; ENGINE_THREADS=0 has as "
        "many, which sleep.",
    ]
