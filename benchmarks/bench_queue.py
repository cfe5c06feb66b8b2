"""Images a second drained from the queue, and how soon a result is on the page."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks.cases import Case, Goal, Measured, WrongAnswer
from benchmarks.material import ROOT, Material, material
from benchmarks.queue_host import QueueHost, copy_app, pictures, put, queue_host
from benchmarks.statistics import Samples
from benchmarks.viewer import Viewer
from tools.azurite import Azurite

DELAY_MS = 50.0
# As many messages as the host runs at once share its workers; each pipeline alone has as many.
THREADS = 16
PATIENCE_SECONDS = 300
WARM_UP_MESSAGES = 40

PIPELINE_1, PIPELINE_2 = "1 pipeline in process", "2 pipelines in process"
HOST_1, HOST_2 = "local host, 1 worker", "local host, 2 workers"
RATE = "images/s"
EMULATOR = "emulator's time, ms a message"
TO_PAGE = "enqueue to page, ms"


@dataclass(frozen=True)
class Job:
    """What every implementation does: the same URLs, each with the tag that it must get."""

    found: Material
    urls: Sequence[str]
    tags: Sequence[str | None]


@contextmanager
def cases(quick: bool) -> Iterator[list[Case]]:
    with ExitStack() as stack:
        found = stack.enter_context(material(quick=quick))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pictures-")))
        for name, data in found.pictures.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
        address = stack.enter_context(pictures(folder, delay_ms=DELAY_MS))
        job = _job(found, address, count=60 if quick else 600)
        yield [throughput_case(job, quick=quick), latency_case(job, quick=quick)]


def _job(found: Material, address: str, *, count: int) -> Job:
    """The tags are those of the pipeline itself; that they are right is shown elsewhere."""
    names = list(found.pictures)
    run = _Pipeline(found, [f"{address}/{name}" for name in names], core=None)
    tags = dict(zip(names, run.go()["tags"], strict=True))
    chosen = [names[number % len(names)] for number in range(count)]
    return Job(found, [f"{address}/{name}" for name in chosen], [tags[name] for name in chosen])


def throughput_case(job: Job, *, quick: bool) -> Case:
    return Case(
        name="queue",
        about=f"{len(job.urls)} messages, each picture from a server that answers after "
        f"{DELAY_MS:g} ms; each worker and each pipeline bound to one core, {THREADS} threads for "
        f"each; ONNX Runtime; {job.found.about}",
        implementations={
            PIPELINE_1: lambda job: _pipelines(job, 1),
            HOST_1: lambda job: _drained(job, 1),
            PIPELINE_2: lambda job: _pipelines(job, 2),
            HOST_2: lambda job: _drained(job, 2),
        },
        inputs={f"{len(job.urls)} pictures": job},
        check=lambda name, answers: _check(job, answers),
        rounds=1 if quick else 5,
        warm_up_rounds=0,
        goals=(
            Goal("drained with 2 workers / with 1", ">=", 1.8, "x", _scaling),
            Goal(
                "drained with 2 workers / 2 pipelines in process, the emulator's time taken off",
                ">=",
                0.75,
                "x",
                _of_pipelines,
            ),
        ),
        notes=_notes,
    )


def _check(job: Job, answers: Mapping[str, Any]) -> None:
    for who, tags in answers.items():
        if sorted(map(str, tags)) != sorted(map(str, job.tags)):
            raise WrongAnswer(f"{who}: its tags are not those that the pictures must get")


def _rate(samples: Samples, who: str) -> float:
    return samples.summary(who, None, RATE).median


def _scaling(samples: Samples) -> float:
    return _rate(samples, HOST_2) / _rate(samples, HOST_1)


def _of_pipelines(samples: Samples) -> float:
    """Both use both cores all the time, so of the emulator's time each of them gave a half."""
    emulator = samples.summary(HOST_2, None, EMULATOR).median / 1000 / 2
    return 1 / (1 / _rate(samples, HOST_2) - emulator) / _rate(samples, PIPELINE_2)


def _notes(samples: Samples) -> list[str]:
    raw = _rate(samples, HOST_2) / _rate(samples, PIPELINE_2)
    return [
        f"2 pipelines do {_rate(samples, PIPELINE_2) / _rate(samples, PIPELINE_1):.2f} times what "
        "one does: more than that no queue can scale on this machine.",
        f"With the emulator's time counted, 2 workers drain {raw:.2f} of what 2 pipelines do.",
    ]


class _Pipeline:
    """``benchmarks.url_pipeline`` as a process, on one core or on all."""

    def __init__(self, found: Material, urls: Sequence[str], core: int | None) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.url_pipeline", "--threads", str(THREADS)],
            cwd=ROOT,
            env={**os.environ, **_settings(found)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        if core is not None:
            # Before it has more threads than one, which take this over.
            psutil.Process(self._process.pid).cpu_affinity([core])
        self._say("".join(f"{url}\n" for url in urls) + "\n")
        if self._hear() != "ready\n":
            raise WrongAnswer("a pipeline did not become ready")

    def begin(self) -> None:
        self._say("go\n")

    def result(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._hear())
        self._process.communicate()
        return found

    def go(self) -> dict[str, Any]:
        self.begin()
        return self.result()

    def _say(self, text: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(text)
        self._process.stdin.flush()

    def _hear(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


def _settings(found: Material) -> dict[str, str]:
    # Each process has one core, so each computes one picture at a time, with one thread.
    return found.environ("onnx", FETCH_ALLOW_PRIVATE_ADDRESSES="true", TF_CPP_MIN_LOG_LEVEL="2")


def _pipelines(job: Job, count: int) -> Measured:
    """Each does its share of the URLs, all at the same time."""
    cores = psutil.Process().cpu_affinity()
    shares = [job.urls[number::count] for number in range(count)]
    running = [
        _Pipeline(job.found, share, cores[number % len(cores)])
        for number, share in enumerate(shares)
    ]
    for pipeline in running:
        pipeline.begin()
    results = [pipeline.result() for pipeline in running]
    tags = [tag for result in results for tag in result["tags"]]
    return Measured(tags, {RATE: len(job.urls) / max(result["seconds"] for result in results)})


@contextmanager
def _app(job: Job, workers: int) -> Iterator[tuple[QueueHost, Viewer]]:
    """A host with its models loaded in every worker, and a viewer who has seen the proof."""
    with ExitStack() as stack:
        azurite = stack.enter_context(Azurite())
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="queue-app-")))
        copy_app(root, {})
        environ = {**_settings(job.found), "PYTHON_THREADPOOL_THREAD_COUNT": str(THREADS)}
        host = stack.enter_context(
            queue_host(root, azurite, workers=workers, environ=environ, arguments=["--pin-workers"])
        )
        viewer = stack.enter_context(Viewer(host.url))
        put(azurite, _messages("warm-up", job.urls[:WARM_UP_MESSAGES]))
        _wait(host, viewer, min(WARM_UP_MESSAGES, len(job.urls)))
        yield host, viewer


def _messages(run: str, urls: Sequence[str]) -> list[str]:
    return [json.dumps({"id": f"{run}-{i}", "url": url}) for i, url in enumerate(urls)]


def _wait(host: QueueHost, viewer: Viewer, count: int) -> None:
    if not viewer.wait_for(lambda heard: len(heard) >= count, PATIENCE_SECONDS):
        raise host.program.failure(f"sent {len(viewer.heard)} results, not {count}")
    wrong = [heard.content for heard in viewer.heard if heard.target != "newResult"]
    if wrong:
        raise WrongAnswer(f"{len(wrong)} failures; the first: {wrong[0]}")


def _drained(job: Job, workers: int) -> Measured:
    """The queue is kept short, or the emulator would be measured: it gets slow when it is long."""
    with _app(job, workers) as (host, viewer):
        before, count = len(viewer.heard), len(job.urls)
        emulator = psutil.Process(host.azurite.process.pid)
        cpu = _cpu_seconds(emulator)
        with ThreadPoolExecutor(1) as feeding:
            fed = feeding.submit(put, host.azurite, _messages("run", job.urls))
            _wait(host, viewer, before + count)
            fed.result()
        used = _cpu_seconds(emulator) - cpu
        heard = viewer.heard[before : before + count]
        seconds = heard[-1].at - heard[0].at
    tags = [one.content["predictedTagName"] for one in heard]
    return Measured(tags, {RATE: (count - 1) / seconds, EMULATOR: used / count * 1000})


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def latency_case(job: Job, *, quick: bool) -> Case:
    count = 5 if quick else 40

    def one_by_one(job: Job) -> Measured:
        with _app(job, 1) as (host, viewer):
            waits = []
            tags = []
            for number, url in enumerate(job.urls[:count]):
                # Not in step with the polls.
                time.sleep(0.3 + 0.037 * (number % 10))
                before = len(viewer.heard)
                began = time.perf_counter()
                put(host.azurite, _messages(f"low-{number}", [url]))
                _wait(host, viewer, before + 1)
                waits.append((viewer.heard[before].at - began) * 1000)
                tags.append(viewer.heard[before].content["predictedTagName"])
        return Measured(tags, {TO_PAGE: waits})

    def check(name: str, answers: Mapping[str, Any]) -> None:
        for tags in answers.values():
            if tags != list(job.tags[:count]):
                raise WrongAnswer("the tags are not those that the pictures must get")

    return Case(
        name="queue-latency",
        about=f"{count} messages, one every half second: from putting it on the queue to the "
        f"result at a page; the picture's server takes {DELAY_MS:g} ms of it; {job.found.about}",
        implementations={HOST_1: one_by_one},
        inputs={"low load": job},
        check=check,
        rounds=1 if quick else 3,
        warm_up_rounds=0,
        goals=(
            Goal(
                "from enqueue to page at low load, at the median",
                "<",
                250,
                "ms",
                lambda samples: samples.summary(HOST_1, None, TO_PAGE).median,
            ),
        ),
    )
