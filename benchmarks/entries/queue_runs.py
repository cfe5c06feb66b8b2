"""Runs the same URLs through a queue, and without one."""

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

from benchmarks import ROOT
from benchmarks.data.workload import Workload
from benchmarks.harness.case import Measured, WrongAnswer
from benchmarks.servers.queue_pipeline import QueueHost, copy_app, put, queue_host
from benchmarks.servers.signalr_viewer import Viewer
from tools.azurite import Azurite

__all__ = [
    "EMULATOR",
    "RATE",
    "THREADS",
    "TO_PAGE",
    "Job",
    "PipelineProcess",
    "drained",
    "one_by_one",
    "pipelines",
]

# As many messages as the host runs at once share its workers; each pipeline alone has as many.
THREADS = 16
PATIENCE_SECONDS = 300
WARM_UP_MESSAGES = 40

RATE = "images/s"
EMULATOR = "emulator's time, ms a message"
TO_PAGE = "enqueue to page, ms"


@dataclass(frozen=True)
class Job:
    """The URLs of every implementation, each with the tag that it must get."""

    workload: Workload
    urls: Sequence[str]
    tags: Sequence[str | None]


class PipelineProcess:
    """``benchmarks.baselines.url_pipeline`` as a process, on one core or on all."""

    def __init__(self, workload: Workload, urls: Sequence[str], core: int | None) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.baselines.url_pipeline", "--threads", str(THREADS)],
            cwd=ROOT,
            env={**os.environ, **_settings(workload)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        if core is not None:
            # Set before it starts threads, which inherit it.
            psutil.Process(self._process.pid).cpu_affinity([core])
        self._say("".join(f"{url}\n" for url in urls) + "\n")
        if self._hear() != "ready\n":
            raise WrongAnswer("a pipeline did not become ready")

    def begin(self) -> None:
        """Lets the process start with its URLs."""
        self._say("go\n")

    def result(self) -> dict[str, Any]:
        """Waits for the end; returns the seconds and the tags."""
        result: dict[str, Any] = json.loads(self._hear())
        self._process.communicate()
        return result

    def go(self) -> dict[str, Any]:
        """Runs it from the start to the end."""
        self.begin()
        return self.result()

    def _say(self, text: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(text)
        self._process.stdin.flush()

    def _hear(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


def _settings(workload: Workload) -> dict[str, str]:
    # Each process has one core, so each computes one image at a time, with one thread.
    return workload.environ("onnx", FETCH_ALLOW_PRIVATE_ADDRESSES="true", TF_CPP_MIN_LOG_LEVEL="2")


def pipelines(job: Job, count: int) -> Measured:
    """Runs pipelines at the same time, each with its share of the URLs."""
    cores = psutil.Process().cpu_affinity()
    shares = [job.urls[number::count] for number in range(count)]
    running = [
        PipelineProcess(job.workload, share, cores[number % len(cores)])
        for number, share in enumerate(shares)
    ]
    for pipeline in running:
        pipeline.begin()
    results = [pipeline.result() for pipeline in running]
    tags = [tag for result in results for tag in result["tags"]]
    return Measured(tags, {RATE: len(job.urls) / max(result["seconds"] for result in results)})


@contextmanager
def _app(
    job: Job, workers: int, *, threads: int = THREADS, queues: Mapping[str, Any] | None = None
) -> Iterator[tuple[QueueHost, Viewer]]:
    """Yields a host whose workers all have loaded their models, and a viewer."""
    with ExitStack() as stack:
        azurite = stack.enter_context(Azurite())
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="queue-app-")))
        copy_app(root, queues or {})
        environ = {**_settings(job.workload), "PYTHON_THREADPOOL_THREAD_COUNT": str(threads)}
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


def drained(
    job: Job, workers: int, *, threads: int = THREADS, queues: Mapping[str, Any] | None = None
) -> Measured:
    """Drains the queue, which is kept short: the emulator gets slow when it is long."""
    with _app(job, workers, threads=threads, queues=queues) as (host, viewer):
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


def one_by_one(job: Job, count: int) -> Measured:
    """Measures low load: each message has ended before the next is queued."""
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
