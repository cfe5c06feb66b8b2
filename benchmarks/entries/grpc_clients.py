"""Measures a model server's new client against the old one of accelerated models."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import numpy as np

from benchmarks.baselines.client_process import ADDRESS, KINDS, client_of
from benchmarks.data.synthetic_images import jpeg
from benchmarks.data.workload import Workload, open_workload
from benchmarks.entries.serving import model_server
from benchmarks.harness.case import MILLISECONDS, Case, Goal, Measured, WrongAnswer
from benchmarks.harness.statistics import Samples
from benchmarks.load.grpc_client import PREDICT
from benchmarks.servers.processes import running
from model_server.grpc import messages
from model_server.grpc.tensors import from_proto

OLD, NEW = (f"{kind} client, score_file" for kind in KINDS)
CLASSIFY = "new client, classify"
BARE = "a bare gRPC call with the same question"
IMAGE = "600x600.jpg"
FIRST_ANSWER = "first answer, s"
MEMORY = "resident, MB"
ATOL = 1e-4


@contextmanager
def cases(quick: bool) -> Iterator[list[Case]]:
    """Yields both cases, on a model server of their own."""
    with (
        open_workload() as workload,
        model_server(workload) as (port, _),
        calls_case(workload, port, quick=quick) as calls,
    ):
        yield [calls, start_case(workload, port, quick=quick)]


@contextmanager
def calls_case(workload: Workload, port: int, *, quick: bool) -> Iterator[Case]:
    """One caller, one image at a time, on connections that are open."""
    image = _image(workload)
    old, new = (client_of(kind, port) for kind in KINDS)
    labels = workload.classifier().repository.load().labels
    request = messages.PredictRequest()
    request.inputs["images"].dtype = messages.DATA_TYPES["DT_STRING"]
    request.inputs["images"].tensor_shape.dim.add(size=1)
    request.inputs["images"].string_val.append(image.read_bytes())

    def classify(path: Path) -> Any:
        named = dict(new.classify(path, top=len(labels)))
        return [named[label] for label in labels]

    with grpc.insecure_channel(f"{ADDRESS}:{port}") as channel, new:
        predict = channel.unary_unary(PREDICT)
        data = request.SerializeToString()

        def bare(path: Path) -> Measured:
            started = time.perf_counter()
            answer = predict(data)
            figures = {MILLISECONDS: (time.perf_counter() - started) * 1000}
            tensor = messages.PredictResponse.FromString(answer).outputs["output_alias"]
            return Measured(from_proto(tensor, "output")[0], figures)

        yield _case(
            workload,
            image,
            "one call",
            "a JPEG file of 600 x 600 in, probabilities out, one caller",
            {
                OLD: lambda path: old.score_file(str(path)),
                NEW: new.score_file,
                CLASSIFY: classify,
                BARE: bare,
            },
            rounds=5 if quick else 200,
            warm_up_rounds=5,
            goals=(Goal("one call: new client / old client", "<=", 1.0, "x", _ratio),),
        )


def start_case(workload: Workload, port: int, *, quick: bool) -> Case:
    """From the start of a program to its first answer, and its memory then."""
    return _case(
        workload,
        _image(workload),
        "first call of a program",
        "from the start of Python to the first answer; files are in the disk cache",
        {name: partial(_start, kind, port) for kind, name in zip(KINDS, (OLD, NEW), strict=True)},
        rounds=1 if quick else 5,
        warm_up_rounds=0 if quick else 1,
    )


def _start(kind: str, port: int, path: Path) -> Measured:
    started = time.perf_counter()
    arguments = [kind, str(port), str(path)]
    with running("benchmarks.baselines.client_process", arguments, {}, read_output=True) as program:
        assert program.process.stdout is not None
        line = program.process.stdout.readline()
        figures = {FIRST_ANSWER: time.perf_counter() - started}
        if not line:
            raise program.failure("gave no answer")
        figures[MEMORY] = program.resident_bytes() / 1e6
    return Measured(json.loads(line), figures)


def _image(workload: Workload) -> Path:
    path = workload.models_dir / IMAGE
    path.write_bytes(jpeg(600, 600))
    return path


def _case(
    workload: Workload,
    image: Path,
    name: str,
    description: str,
    implementations: Mapping[str, Callable[[Path], Any]],
    **more: Any,
) -> Case:
    expected = workload.classifier().classify_bytes(image.read_bytes()).scores

    def check(name: str, answers: Mapping[str, Any]) -> None:
        for who, scores in answers.items():
            if not np.allclose(scores, expected, atol=ATOL):
                raise WrongAnswer(f"{who}, {name}: {scores}, it should be {expected}")

    return Case(
        name=name,
        description=f"{description}; ONNX Runtime; {workload.description}",
        implementations=implementations,
        inputs={IMAGE: image},
        check=check,
        **more,
    )


def _ratio(samples: Samples) -> float:
    return samples.median(NEW, IMAGE, MILLISECONDS) / samples.median(OLD, IMAGE, MILLISECONDS)
