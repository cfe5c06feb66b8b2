"""Runs a server as a process group: it and all its workers end with the measurement."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import ROOT
from benchmarks.peers.servers import Server
from benchmarks.servers.app_host import ADDRESS
from benchmarks.servers.processes import Program, answers_get, run_command

__all__ = ["Group", "running"]

POLL_SECONDS = 0.1
STOP_SECONDS = 10


@dataclass(frozen=True)
class Group:
    """A running server."""

    server: Server
    port: int
    program: Program

    def wait_until_healthy(self) -> None:
        """Polls its health.

        Raises:
            ProgramFailed: it does not come up; the message ends with its last words.
        """
        self.program.wait_until(
            lambda: answers_get(ADDRESS, self.port, self.server.health),
            "did not come up",
            poll_seconds=POLL_SECONDS,
        )


@contextmanager
def running(server: Server, port: int) -> Iterator[Group]:
    """Starts a server, which is not up yet, in a folder of its own."""
    command = server.command(port)
    with (
        tempfile.TemporaryDirectory(prefix="benchmark-peer-") as folder,
        run_command(
            command,
            {"PYTHONPATH": str(ROOT), **server.environ},
            name=server.name,
            cwd=ROOT if "local_host" in command else Path(folder),
            in_group=True,
            stop_seconds=STOP_SECONDS,
        ) as program,
    ):
        yield Group(server, port, program)
