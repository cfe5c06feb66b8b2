"""Runs the load generator as a process of its own and sends it loads."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

from benchmarks import ROOT
from benchmarks.harness.case import WrongAnswer
from benchmarks.load.plan import Load, Outcome

__all__ = ["Sender", "sender"]


class Sender:
    """Sends one load after the other."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def send(self, load: Load) -> Outcome:
        """Returns when the load has come to its end."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(asdict(load)) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise WrongAnswer("the load generator ended; its error is above")
        return Outcome(**json.loads(line))


@contextmanager
def sender() -> Iterator[Sender]:
    """Runs a load generator; it ends with the ``with`` block."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.load.generator"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    ) as process:
        yield Sender(process)  # the end of its input, which comes with the exit, ends it
