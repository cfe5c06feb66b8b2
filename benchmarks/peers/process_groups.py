"""Servers as process groups of their own: started, polled until healthy, ended by the group's id.

Stale workers would spoil the next measurement, so whatever a server started ends with it.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

import psutil

from benchmarks import ROOT
from benchmarks.harness.case import WrongAnswer
from benchmarks.peers.servers import Server
from benchmarks.servers.app_host import ADDRESS, START_SECONDS

POLL_SECONDS = 0.1
STOP_SECONDS = 10


@dataclass(frozen=True)
class Group:
    """A running server."""

    server: Server
    port: int
    process: subprocess.Popen[bytes]
    log: IO[str]

    def wait_until_healthy(self) -> None:
        """Polls its health; WrongAnswer with its last words if it does not come up."""
        give_up = time.monotonic() + START_SECONDS
        while self.process.poll() is None and time.monotonic() < give_up:
            client = http.client.HTTPConnection(ADDRESS, self.port, timeout=10)
            try:
                client.request("GET", self.server.health)
                if client.getresponse().status == 200:
                    return
            except (OSError, http.client.HTTPException):
                pass
            finally:
                client.close()
            time.sleep(POLL_SECONDS)
        raise WrongAnswer(f"{self.server.name} did not come up. {self.last_words()}")

    def last_words(self) -> str:
        self.log.seek(0)
        return "Its last words:\n" + "\n".join(self.log.read().splitlines()[-15:])


@contextmanager
def running(server: Server, port: int) -> Iterator[Group]:
    """Starts a server in a folder of its own; it is not up yet."""
    with (
        tempfile.TemporaryDirectory(prefix="benchmark-peer-") as folder,
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log,
    ):
        process = subprocess.Popen(
            server.command(port),
            cwd=ROOT if "local_host" in server.command(port) else folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), **server.environ},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            yield Group(server, port, process, log)
        finally:
            end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """Asks the group, waits, insists; then ends those that left it, as BentoML's workers do."""
    children: list[psutil.Process] = []
    with contextlib.suppress(psutil.NoSuchProcess):
        children = psutil.Process(process.pid).children(recursive=True)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
    psutil.wait_procs(children, timeout=1)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for child in children:
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()  # psutil looks at its start too: never a stranger with the same id
