"""Measures the start of a process to its first answer, cold and warm, and its memory."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.data.page_cache import CAN_FORGET, FORGOTTEN, forget, what_starts_read
from benchmarks.data.synthetic_images import jpeg
from benchmarks.data.workload import Workload, open_workload
from benchmarks.harness.answer_checks import check_same_answer
from benchmarks.harness.case import Case, Goal, Measured
from benchmarks.harness.statistics import Samples
from benchmarks.servers.app_host import Client, local_host, wait_until_ready
from benchmarks.servers.processes import running

ENGINES = {"ONNX Runtime": "onnx", "TensorFlow": "tensorflow"}
IMAGE = "600x600.jpg"
READY = "ready, s"
FIRST_ANSWER = "first answer, s"
REQUESTS, QUICK_REQUESTS = 1000, 20
MEMORY_FIRST = "resident after 1 answer, MB"


@contextmanager
def cases(quick: bool) -> Iterator[list[Case]]:
    """Yields all cases."""
    with open_workload() as workload:
        yield list(start_cases(workload, quick=quick))


def start_cases(workload: Workload, *, quick: bool) -> Iterator[Case]:
    """Makes warm starts, cold starts where they are possible, the command line, and memory."""
    image = workload.models_dir / IMAGE
    image.write_bytes(jpeg(600, 600))
    make = partial(_case, workload, image)
    warm = {
        f"local host, {name}": partial(local_host_start, workload, engine=engine)
        for name, engine in ENGINES.items()
    }
    yield make(
        "warm start of the local host",
        "from the start of the process (one worker) to the first right answer; the files are in "
        "the disk cache",
        warm,
        rounds=1 if quick else 4,
        warm_up_rounds=0 if quick else 1,
        goals=(
            Goal(
                "warm start to first answer, ONNX Runtime",
                "<=",
                0.6,
                "s",
                partial(_median, who="ONNX Runtime"),
            ),
            Goal(
                "warm start to first answer, TensorFlow / ONNX Runtime", ">=", 6, "x", _times_sooner
            ),
        ),
        notes=lambda samples: [f"TensorFlow takes {_times_sooner(samples):.1f} times as long."],
    )
    if CAN_FORGET:
        folders = what_starts_read(workload.models_dir)
        yield make(
            "cold start of the local host",
            "the same, read from the disk",
            {who: partial(_cold, folders, start) for who, start in warm.items()},
            rounds=1 if quick else 3,
            warm_up_rounds=0,
            notes=lambda samples: [FORGOTTEN],
        )
    yield make(
        "warm start of the command line",
        "from the start of python -m image_classifier to its first answer",
        {
            f"command line, {name}": partial(_command_line, workload, engine=engine)
            for name, engine in ENGINES.items()
        },
        rounds=1 if quick else 3,
        warm_up_rounds=0,
    )
    requests = QUICK_REQUESTS if quick else REQUESTS
    later = f"resident after {requests:,} answers, MB"
    yield make(
        "memory of the local host",
        f"of all its processes (one worker), after the first answer and after {requests:,}; "
        "1 MB = 1,000,000 bytes",
        {
            f"local host, {name}": partial(
                _memory, workload, engine=engine, requests=requests, later=later
            )
            for name, engine in ENGINES.items()
        },
        rounds=1,
        warm_up_rounds=0,
        goals=(
            Goal(
                f"resident memory after {requests:,} requests, ONNX Runtime, one worker",
                "<=",
                170,
                "MB",
                lambda samples: samples.median("local host, ONNX Runtime", IMAGE, later),
            ),
        ),
    )


def _case(
    workload: Workload,
    image: Path,
    name: str,
    description: str,
    implementations: Mapping[str, Callable[[Path], Measured]],
    **more: Any,
) -> Case:
    expected = workload.classifier().classify_bytes(image.read_bytes()).as_dict()

    def check(name: str, answers: Mapping[str, Any]) -> None:
        for who, its_answers in answers.items():
            for answer in its_answers:
                check_same_answer(f"{who}, {name}", answer, expected)

    return Case(
        name=name,
        description=f"{description}; {workload.description}",
        implementations=implementations,
        inputs={IMAGE: image},
        check=check,
        **more,
    )


def local_host_start(workload: Workload, image: Path, *, engine: str) -> Measured:
    """Starts a host, sends one request, ends it."""
    data = image.read_bytes()
    started = time.perf_counter()
    with local_host(workload.environ(engine)) as (program, port):
        wait_until_ready(program, port)
        ready = time.perf_counter() - started
        with closing(Client(port, workload.model, keep_alive=True)) as client:
            answer = client.classify(data)
            figures = {READY: ready, FIRST_ANSWER: time.perf_counter() - started}
    return Measured([answer], figures)


def _cold(folders: list[Path], start: Callable[[Path], Measured], image: Path) -> Measured:
    forget(folders)
    return start(image)


def _command_line(workload: Workload, image: Path, *, engine: str) -> Measured:
    started = time.perf_counter()
    environ = workload.environ(engine)
    with running("image_classifier", ["--json", str(image)], environ, read_output=True) as program:
        assert program.process.stdout is not None
        line = program.process.stdout.readline()
        first = time.perf_counter() - started
        if program.process.wait() != 0:
            raise program.failure("did not answer")
    return Measured([json.loads(line)], {FIRST_ANSWER: first})


def _memory(workload: Workload, image: Path, *, engine: str, requests: int, later: str) -> Measured:
    data = image.read_bytes()
    with local_host(workload.environ(engine)) as (program, port):
        wait_until_ready(program, port)
        with closing(Client(port, workload.model, keep_alive=True)) as client:
            answers = [client.classify(data)]
            figures = {MEMORY_FIRST: program.resident_bytes() / 1e6}
            answers += [client.classify(data) for _ in range(requests - 1)]
            figures[later] = program.resident_bytes() / 1e6
    return Measured(answers, figures)


def _median(samples: Samples, who: str) -> float:
    return samples.median(f"local host, {who}", IMAGE, FIRST_ANSWER)


def _times_sooner(samples: Samples) -> float:
    return _median(samples, "TensorFlow") / _median(samples, "ONNX Runtime")
