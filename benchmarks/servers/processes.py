"""Runs programs as processes: starts them, waits for them, weighs them, ends them."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

from benchmarks import ROOT
from benchmarks.harness.case import WrongAnswer

__all__ = ["Program", "ProgramFailed", "answers_get", "run_command", "running"]

STOP_SECONDS = 15
START_SECONDS = 120
POLL_SECONDS = 0.01
REQUEST_SECONDS = 10
LAST_LINES = 15
MEGABYTE = 2**20


class ProgramFailed(WrongAnswer):
    """A program failed; the message ends with its last words."""


@dataclass(frozen=True)
class Program:
    """A running process.

    Attributes:
        name: for messages.
        process: the process; ``stdout`` is a pipe only if its output is read.
        log: the file that its words go to: a full pipe would stop it.
        has_group: whether it leads a process group, which ends with it.
    """

    name: str
    process: subprocess.Popen[str]
    log: IO[str]
    has_group: bool = False

    def is_running(self) -> bool:
        """Whether the process has not ended yet."""
        return self.process.poll() is None

    def wait_until(
        self,
        condition: Callable[[], bool],
        failure: str,
        *,
        seconds: float = START_SECONDS,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        """Polls until the condition holds.

        Args:
            condition: is asked again and again.
            failure: the words of the error, as in "did not become ready".
            seconds: the time limit.
            poll_seconds: between two questions.

        Raises:
            ProgramFailed: the program ended, or the time is over.
        """
        deadline = time.monotonic() + seconds
        while self.is_running() and time.monotonic() < deadline:
            if condition():
                return
            time.sleep(poll_seconds)
        raise self.failure(failure)

    def resident_bytes(self) -> int:
        """Memory of the process and of all that it started; shared pages count for each."""
        top = psutil.Process(self.process.pid)
        return sum(p.memory_info().rss for p in [top, *top.children(recursive=True)])

    def resident_megabytes(self) -> float:
        """The same in MiB."""
        return self.resident_bytes() / MEGABYTE

    def last_words(self) -> str:
        """The last lines of the log."""
        self.log.seek(0)
        return "\n".join(self.log.read().splitlines()[-LAST_LINES:])

    def failure(self, problem: str) -> ProgramFailed:
        """Makes the error to raise, as in "http.server (exit 2) did not start"."""
        state = "running" if self.is_running() else f"exit {self.process.returncode}"
        words = self.last_words()
        return ProgramFailed(f"{self.name} ({state}) {problem}. Its last words:\n{words}")

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Asks the process to end, waits, kills it; then kills what it started and left behind.

        Stale workers would spoil the next measurement. Some servers' workers leave the group.
        """
        children: list[psutil.Process] = []
        with contextlib.suppress(psutil.NoSuchProcess):
            children = psutil.Process(self.process.pid).children(recursive=True)
        self._signal(signal.SIGTERM)
        try:
            self.process.communicate(timeout=seconds)  # closes the pipe, too
        except subprocess.TimeoutExpired:
            self.process.kill()
        if self.has_group:
            psutil.wait_procs(children, timeout=1)
            self._signal(signal.SIGKILL)
        for child in children:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()  # psutil compares the start time: never a stranger with the same id
        # Only now: a child that inherited the pipe would keep it open.
        self.process.communicate()

    def _signal(self, number: signal.Signals) -> None:
        if not self.has_group:
            self.process.send_signal(number)
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)


@contextmanager
def running(
    module: str, arguments: Sequence[str], environ: Mapping[str, str], *, read_output: bool = False
) -> Iterator[Program]:
    """Runs ``python -m module`` in the repository's root; ends it with the ``with`` block.

    Args:
        module: to run.
        arguments: its command line.
        environ: added to this process's own.
        read_output: its standard output is a pipe that the caller reads, not part of the log.
    """
    command = [sys.executable, "-m", module, *arguments]
    with run_command(command, environ, name=module, read_output=read_output) as program:
        yield program


@contextmanager
def run_command(
    command: Sequence[str],
    environ: Mapping[str, str],
    *,
    name: str,
    cwd: Path = ROOT,
    read_output: bool = False,
    in_group: bool = False,
    stop_seconds: float = STOP_SECONDS,
) -> Iterator[Program]:
    """Runs a command; ends it with the ``with`` block.

    Args:
        command: the program and its arguments.
        environ: added to this process's own.
        name: for messages.
        cwd: the folder that it runs in.
        read_output: its standard output is a pipe that the caller reads, not part of the log.
        in_group: it leads a process group of its own, which is ended as a whole (not on Windows).
        stop_seconds: how long it may take to end before it is killed.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env={**os.environ, **environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if read_output else log,
            stderr=log,
            text=True,
            encoding="utf-8",
            start_new_session=in_group,
        )
        program = Program(name, process, log, in_group)
        try:
            yield program
        finally:
            program.stop(stop_seconds)


def answers_get(address: str, port: int, path: str, *, seconds: float = REQUEST_SECONDS) -> bool:
    """Whether a server answers a GET with the status 200."""
    client = http.client.HTTPConnection(address, port, timeout=seconds)
    try:
        client.request("GET", path)
        return client.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        client.close()
