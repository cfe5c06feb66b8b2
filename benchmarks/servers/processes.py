"""Programs as processes of their own: started, watched, weighed, ended by their id."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

import psutil

from benchmarks import ROOT
from benchmarks.harness.case import WrongAnswer

STOP_SECONDS = 15
MEGABYTE = 2**20


class ProgramFailed(WrongAnswer):
    """A program did not do what it was started for; its last words are in the message."""


@dataclass(frozen=True)
class Program:
    """A running Python module. Its log is a file: a full pipe would stop it."""

    name: str
    process: subprocess.Popen[str]
    log: IO[str]

    def is_running(self) -> bool:
        return self.process.poll() is None

    def resident_bytes(self) -> int:
        """Of the process and all that it started; pages that they share count for each."""
        top = psutil.Process(self.process.pid)
        return sum(p.memory_info().rss for p in [top, *top.children(recursive=True)])

    def resident_megabytes(self) -> float:
        return self.resident_bytes() / MEGABYTE

    def failure(self, what: str) -> ProgramFailed:
        """The error to raise, with the program's last words."""
        self.log.seek(0)
        words = "\n".join(self.log.read().splitlines()[-15:])
        state = "running" if self.is_running() else f"exit {self.process.returncode}"
        return ProgramFailed(f"{self.name} ({state}) {what}. Its last words:\n{words}")


@contextmanager
def running(
    module: str, arguments: Sequence[str], environ: Mapping[str, str], *, read_output: bool = False
) -> Iterator[Program]:
    """Runs ``python -m module`` in the repository's root, and ends it in the end.

    Args:
        module: what to run.
        arguments: its command line.
        environ: added to this process's own.
        read_output: its standard output is a pipe that the caller reads, not part of the log.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            env={**os.environ, **environ},
            stdout=subprocess.PIPE if read_output else log,
            stderr=log,
            text=True,
            encoding="utf-8",
        )
        try:
            yield Program(module, process, log)
        finally:
            _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    """Asks, waits, insists; what it started goes with it."""
    children = []
    with contextlib.suppress(psutil.NoSuchProcess):
        children = psutil.Process(process.pid).children(recursive=True)
    process.terminate()
    try:
        process.communicate(timeout=STOP_SECONDS)  # closes the pipe, too
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
    for child in children:
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()
