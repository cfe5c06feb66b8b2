"""Measures TensorFlow Serving's API against the app's own, and the overhead of gRPC."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import grpc
import numpy as np

from benchmarks.data.synthetic_images import jpeg
from benchmarks.data.workload import Workload, open_workload
from benchmarks.harness.case import MILLISECONDS, Case, Goal, Measured, WrongAnswer
from benchmarks.harness.statistics import Samples
from benchmarks.load.grpc_client import PREDICT
from benchmarks.load.process import Sender, sender
from benchmarks.load.throughput import CLIENTS, Endpoint, image_bytes, rates_case
from benchmarks.servers.app_host import (
    ADDRESS,
    classify_path,
    free_ports,
    local_host,
    wait_until_ready,
)
from benchmarks.servers.bare_grpc import METHOD
from benchmarks.servers.processes import Program, running
from image_classifier.images.decode import decode
from image_classifier.images.preprocess import preprocess
from model_server.grpc import messages
from model_server.grpc.tensors import fill_proto

CLASSIFY = "/api/classify"
REST_FUNCTION = "REST, the function"
REST_PROCESS = "REST, model_server"
GRPC = "gRPC, model_server"
SESSION = "the session's run, in process"
BARE = "a bare gRPC call of the same size"
TENSORS = "gRPC predict, a tensor in"
START_SECONDS = 60
LIMIT_MS = 0.4


@contextmanager
def cases(quick: bool) -> Iterator[list[Case]]:
    """Yields both cases, on a local host with one worker and a model server side by side."""
    with open_workload() as workload, local_host(workload.environ()) as (program, port):
        wait_until_ready(program, port)
        with model_server(workload) as (grpc_port, rest_port), sender() as source:
            ports = {
                CLASSIFY: port,
                REST_FUNCTION: port,
                REST_PROCESS: rest_port,
                GRPC: grpc_port,
            }
            with tensor_case(workload, grpc_port, quick=quick) as tensor:
                yield [images_case(workload, ports, source, quick=quick), tensor]


@contextmanager
def model_server(workload: Workload) -> Iterator[tuple[int, int]]:
    """Runs a model server with the workload's model; yields its ports for gRPC and REST."""
    ports = free_ports(2)
    arguments = [f"--port={ports[0]}", f"--rest_api_port={ports[1]}", f"--address={ADDRESS}"]
    arguments += [f"--model_name={workload.model}", f"--model_base_path={workload.folder.parent}"]
    with running("model_server", arguments, workload.environ()) as program:
        _wait(program, ports[0])
        yield ports[0], ports[1]


def _wait(program: Program, port: int) -> None:
    with grpc.insecure_channel(f"{ADDRESS}:{port}") as channel:
        try:
            grpc.channel_ready_future(channel).result(START_SECONDS)
        except grpc.FutureTimeoutError as exc:
            raise program.failure("did not become ready") from exc


def images_case(
    workload: Workload, ports: Mapping[str, int], source: Sender, *, quick: bool
) -> Case:
    """Eight clients send an encoded image to four endpoints."""
    data = image_bytes()
    rest_path = f"/v1/models/{workload.model}:predict"
    instances = [{"b64": base64.b64encode(data).decode()}]
    rest = json.dumps({"signature_name": "probabilities", "instances": instances}).encode()
    image = np.empty(1, object)
    image[0] = data
    request = _request(workload.model, "probabilities", "image", image)
    return rates_case(
        workload,
        {
            CLASSIFY: Endpoint(ports[CLASSIFY], classify_path(workload.model), data),
            REST_FUNCTION: Endpoint(ports[REST_FUNCTION], rest_path, rest, "predict"),
            REST_PROCESS: Endpoint(ports[REST_PROCESS], rest_path, rest, "predict"),
            GRPC: Endpoint(ports[GRPC], "", request, "grpc"),
        },
        source,
        description=f"answers a second to {CLIENTS} clients that send a 600 x 600 JPEG, one "
        "process of each server, ONNX Runtime; the clients are a process of their own on the same "
        f"cores; {workload.description}",
        base=CLASSIFY,
        goals={GRPC: 1.0, REST_PROCESS: 1.0},
        quick=quick,
    )


def _request(model: str, signature: str, key: str, array: Any) -> bytes:
    request = messages.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = model, signature
    fill_proto(request.inputs[key], array, as_content=True)
    return bytes(request.SerializeToString())


@contextmanager
def tensor_case(workload: Workload, grpc_port: int, *, quick: bool) -> Iterator[Case]:
    """One client sends a preprocessed image: the time above the run and the bare call."""
    classifier = workload.classifier()
    engine = classifier.repository.load().engine
    tensor = preprocess(decode(jpeg(600, 600), max_pixels=10**7), engine.input_spec)[None]
    request = _request(workload.model, "tensors", "input", tensor)
    (bare_port,) = free_ports(1)
    with (
        grpc.insecure_channel(f"{ADDRESS}:{grpc_port}") as channel,
        grpc.insecure_channel(f"{ADDRESS}:{bare_port}") as bare_channel,
    ):
        predict, bare = channel.unary_unary(PREDICT), bare_channel.unary_unary(METHOD)
        size = len(predict(request))
        with running("benchmarks.servers.bare_grpc", [str(bare_port), str(size)], {}) as program:
            _wait(program, bare_port)
            yield _tensor_case(
                workload,
                {
                    SESSION: lambda data: engine.predict(tensor),
                    BARE: lambda data: Measured(None, _timed(bare, data)[1]),
                    TENSORS: lambda data: _answered(*_timed(predict, data)),
                },
                request,
                engine.predict(tensor),
                quick=quick,
            )


def _timed(call: Callable[[bytes], bytes], data: bytes) -> tuple[bytes, dict[str, float]]:
    started = time.perf_counter()
    answer = call(data)
    return answer, {MILLISECONDS: (time.perf_counter() - started) * 1000}


def _answered(answer: bytes, figures: Mapping[str, float]) -> Measured:
    values = messages.PredictResponse.FromString(answer).outputs["output"].float_val
    return Measured(list(values), figures)


def _tensor_case(
    workload: Workload,
    implementations: Mapping[str, Callable[[bytes], Any]],
    request: bytes,
    expected: Any,
    *,
    quick: bool,
) -> Case:
    def check(name: str, answers: Mapping[str, Any]) -> None:
        if not np.allclose(answers[TENSORS], expected[0], atol=1e-5):
            raise WrongAnswer(f"{answers[TENSORS]}, it should be {expected[0]}")

    def above(samples: Samples) -> float:
        (name,) = samples.inputs()
        predict, session, bare = (
            samples.median(who, name, MILLISECONDS) for who in (TENSORS, SESSION, BARE)
        )
        return predict - session - bare

    return Case(
        name="tensor",
        description=f"one client, a message of {len(request):,} bytes with a preprocessed image in "
        f"tensor_content; ONNX Runtime; {workload.description}",
        implementations=implementations,
        inputs={"tensor": request},
        check=check,
        rounds=20 if quick else 400,
        warm_up_rounds=20,
        goals=(Goal(f"{TENSORS}, above {SESSION}, and {BARE}", "<=", LIMIT_MS, "ms", above),),
        notes=lambda samples: [f"Above the two others together: {above(samples):.3f} ms."],
    )
