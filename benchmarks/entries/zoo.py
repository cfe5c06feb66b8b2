"""Measures the zoo's networks, one image at a time: TensorFlow, ONNX Runtime and OpenVINO."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.data.synthetic_images import jpeg
from benchmarks.data.zoo_files import CLASSIFIERS, DETECTOR, build
from benchmarks.harness.case import MILLISECONDS, RATE, Case, Goal, Measured, WrongAnswer
from benchmarks.harness.machine import cores
from benchmarks.harness.measure import run_case
from benchmarks.harness.records import Part, case_record, verdicts
from benchmarks.harness.statistics import Samples
from image_classifier.engines.base import Engine, EngineOptions
from image_classifier.engines.registry import ENGINES, SAVED_MODEL
from image_classifier.images.decode import decode
from image_classifier.images.preprocess import preprocess
from image_classifier.model_files.input_spec import read_input_spec

TENSORFLOW = "TensorFlow"
RUNTIMES = {TENSORFLOW: "tensorflow", "ONNX Runtime": "onnx", "OpenVINO": "openvino"}
IMAGE = "600x600.jpg"
IMAGES = 4  # one after the other, in each turn of an engine
GOAL_NETWORK, LEAST_RATIO = "resnet50", 1.5
# Of the largest score: random weights give a thousand classes scores of about a thousandth.
LARGEST_DIFFERENCE = 1e-3
MAX_PIXELS = 50_000_000


def parts(quick: bool) -> Iterator[Part]:
    """Measures one network after the other; a failure does not affect the others."""
    for network in (*CLASSIFIERS, DETECTOR):
        with tempfile.TemporaryDirectory(prefix="benchmark-zoo-") as folder:
            try:
                yield _part(network, build(network, Path(folder), quick=quick), quick=quick)
            except WrongAnswer as exc:
                yield Part(None, errors=[f"{network} was not measured: {exc}"])


def _part(network: str, folder: Path, *, quick: bool) -> Part:
    """Measures one network; its engines are freed at the end, so only one network is in memory."""
    with network_case(network, folder, quick=quick) as case:
        samples = run_case(case)
        return Part(case_record(case, samples), verdicts(case, samples))


@contextmanager
def network_case(network: str, folder: Path, *, quick: bool) -> Iterator[Case]:
    """Yields the installed engines on one network; closes them at the end.

    Args:
        network: its name.
        folder: has TensorFlow's file and ``model.onnx``.
        quick: few rounds.
    """
    with ExitStack() as stack:
        engines = {
            name: _load(kind, folder, stack)
            for name, kind in RUNTIMES.items()
            if ENGINES[kind].is_installed()
        }
        input_spec = engines[TENSORFLOW].input_spec
        what = "scores and boxes of all places" if network == DETECTOR else "probabilities"
        yield Case(
            name=network,
            description=f"a JPEG of 600 x 600 in, {what} out: decoded and preprocessed in process "
            f"({input_spec.width} x {input_spec.height}), batch size 1, one caller, "
            f"{cores()} cores, random weights",
            implementations={name: partial(_turn, engine) for name, engine in engines.items()},
            inputs={IMAGE: jpeg(600, 600)},
            check=_check,
            rounds=2 if quick else 25,
            warm_up_rounds=1 if quick else 3,
            goals=_goals(network),
            notes=_notes,
        )


def ratio(samples: Samples, name: str) -> float:
    """An engine's speed in multiples of TensorFlow's, at the median."""
    times = [samples.median(one, IMAGE, MILLISECONDS) for one in (TENSORFLOW, name)]
    return times[0] / times[1]


def _load(kind: str, folder: Path, stack: ExitStack) -> Engine:
    """Loads the folder's file of an engine as the app does."""
    sidecar = folder / "model.json"
    input_spec = read_input_spec(sidecar) if sidecar.is_file() else None
    weights = ENGINES[kind].find(folder)
    assert weights is not None
    engine: Any
    if weights.name == SAVED_MODEL:
        saved: Any = ENGINES[kind].load_saved_model(weights, EngineOptions())
        stack.callback(saved.close)
        assert input_spec is not None
        engine = saved.classifier(input_spec)
    else:
        engine = ENGINES[kind].load(weights, input_spec, EngineOptions())
        stack.callback(getattr(engine, "close", lambda: None))
    return engine  # type: ignore[no-any-return]


def _turn(engine: Engine, data: bytes) -> Measured:
    """Classifies the image several times, which must give the same answer."""
    latencies, answers = [], []
    began = time.perf_counter()
    for _ in range(IMAGES):
        started = time.perf_counter()
        tensor = preprocess(decode(data, max_pixels=MAX_PIXELS), engine.input_spec)
        answers.append(engine.predict(tensor[None])[0])
        latencies.append((time.perf_counter() - started) * 1000)
    rate = IMAGES / (time.perf_counter() - began)
    return Measured(np.stack(answers), {MILLISECONDS: latencies, RATE: rate})


def _check(name: str, answers: Mapping[str, NDArray[np.float32]]) -> None:
    expected = next(iter(answers.values()))[0]
    allowed = LARGEST_DIFFERENCE * min(1.0, float(np.abs(expected).max()))
    for who, scores in answers.items():
        difference = float(np.abs(scores - expected).max())
        # Written so that a difference that is not a number is wrong, too.
        if not difference <= allowed:
            raise WrongAnswer(f"{who}, {name}: a score differs by {difference:.1e}.")


def _goals(network: str) -> tuple[Goal, ...]:
    if network != GOAL_NETWORK:
        return ()
    text = f"{network}: {TENSORFLOW} / the quickest of the others"
    return (Goal(text, ">=", LEAST_RATIO, "x", _best),)


def _best(samples: Samples) -> float:
    return max(ratio(samples, name) for name in samples.implementations() if name != TENSORFLOW)


def _notes(samples: Samples) -> list[str]:
    return [
        f"{name} is {ratio(samples, name):.2f} times as quick as {TENSORFLOW}."
        for name in samples.implementations()
        if name != TENSORFLOW
    ]
