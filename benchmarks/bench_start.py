"""From the start of a process to its first answer, and the memory that it takes then."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.answers import check_same_answer
from benchmarks.bench_http import host_environ
from benchmarks.bench_pipeline import classifier_for
from benchmarks.cases import Case, Measured
from benchmarks.local_server import Client, local_host, wait_until_ready
from benchmarks.material import Material, jpeg, material
from benchmarks.processes import running

REQUESTS = 100
READY = "ready, s"
FIRST_ANSWER = "first answer, s"
MEMORY_FIRST = "resident after 1 answer, MiB"
MEMORY_LATER = f"resident after {REQUESTS} answers, MiB"


@contextmanager
def cases(quick: bool) -> Iterator[list[Case]]:
    with material() as found:
        yield [_case(found, quick=quick)]


def _case(found: Material, *, quick: bool) -> Case:
    picture = found.models_dir / "picture.jpg"
    picture.write_bytes(jpeg(600, 600))
    expected = classifier_for(found).classify_bytes(picture.read_bytes()).as_dict()

    def check(name: str, answers: Mapping[str, Any]) -> None:
        for who, its_answers in answers.items():
            for answer in its_answers:
                check_same_answer(f"{who}, {name}", answer, expected)

    return Case(
        name="start",
        about="from the start of the process to the first answer, TensorFlow and model included; "
        f"files are in the disk cache; {found.about}",
        implementations={
            "local host": lambda path: _local_host(found, path),
            "command line": lambda path: _command_line(found, path),
        },
        inputs={"600x600.jpg": picture},
        check=check,
        rounds=1 if quick else 5,
        warm_up_rounds=0 if quick else 1,
    )


def _local_host(found: Material, picture: Path) -> Measured:
    image = picture.read_bytes()
    started = time.perf_counter()
    with local_host(host_environ(found)) as (program, port):
        wait_until_ready(program, port)
        ready = time.perf_counter() - started
        with closing(Client(port, found.model, keep_alive=True)) as client:
            answers = [client.classify(image)]
            figures = {READY: ready, FIRST_ANSWER: time.perf_counter() - started}
            figures[MEMORY_FIRST] = program.resident_megabytes()
            answers += [client.classify(image) for _ in range(REQUESTS - 1)]
            figures[MEMORY_LATER] = program.resident_megabytes()
    return Measured(answers, figures)


def _command_line(found: Material, picture: Path) -> Measured:
    """Some images more than are measured: the process must still be there to be weighed."""
    arguments = ["--json", *[str(picture)] * (REQUESTS + 20)]
    answers = []
    figures = {}
    started = time.perf_counter()
    with running("image_classifier", arguments, host_environ(found), read_output=True) as program:
        assert program.process.stdout is not None
        for line in program.process.stdout:
            answers.append(json.loads(line))
            if len(answers) == 1:
                figures[FIRST_ANSWER] = time.perf_counter() - started
                figures[MEMORY_FIRST] = program.resident_megabytes()
            if len(answers) == REQUESTS:
                figures[MEMORY_LATER] = program.resident_megabytes()
        if program.process.wait() != 0 or len(answers) != REQUESTS + 20:
            raise program.failure("did not answer every image")
    return Measured(answers, figures)
