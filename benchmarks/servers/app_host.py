"""Runs the project's local host as a server to measure, and sends it images."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from benchmarks.harness.case import WrongAnswer
from benchmarks.servers.processes import Program, ProgramFailed, answers_get, running

ADDRESS = "127.0.0.1"
REQUEST_SECONDS = 60


@contextmanager
def local_host(
    environ: Mapping[str, str], *, root: Path | None = None
) -> Iterator[tuple[Program, int]]:
    """Starts the local host with one worker; yields it and its port at once, ready or not.

    Args:
        environ: its settings; they go before those of local.settings.json.
        root: of the app; None is this project.
    """
    (port,) = free_ports(1)
    arguments = ["--address", ADDRESS, "--port", str(port), "--workers", "1"]
    if root is not None:
        arguments += ["--root", str(root)]
    with running("local_host", arguments, environ) as program:
        try:
            yield program, port
        except ProgramFailed:
            raise
        except WrongAnswer as exc:
            raise program.failure(f"did not do its work: {exc}") from exc


def wait_until_ready(program: Program, port: int) -> None:
    """Polls until the host says that it can take requests."""
    program.wait_until(
        lambda: answers_get(ADDRESS, port, "/admin/host/status", seconds=REQUEST_SECONDS),
        "did not become ready",
    )


@dataclass(frozen=True)
class Reply:
    """A right answer.

    Attributes:
        answer: its JSON.
        milliseconds: from the sending of the request to the end of the answer.
        stages: name -> milliseconds, of its Server-Timing header.
    """

    answer: dict[str, Any]
    milliseconds: float
    stages: Mapping[str, float]


class Client:
    """Posts images with Python's own ``http.client``, which costs less than any library.

    Args:
        port: of a server on this machine.
        model: that must answer.
        keep_alive: one connection for all requests, or one for each.
    """

    def __init__(self, port: int, model: str, *, keep_alive: bool) -> None:
        self._connection = http.client.HTTPConnection(ADDRESS, port, timeout=REQUEST_SECONDS)
        self._model = model
        self._path = classify_path(model)
        self._keep_alive = keep_alive

    def classify(self, image: bytes) -> dict[str, Any]:
        """Returns the answer's JSON; raises WrongAnswer unless it is 200 from the right model."""
        return self.ask(image).answer

    def ask(self, image: bytes) -> Reply:
        """Returns the same, with the times that the server gives."""
        headers = {"Content-Type": "application/octet-stream"}
        if not self._keep_alive:
            headers["Connection"] = "close"
        started = time.perf_counter()
        self._connection.request("POST", self._path, image, headers)
        response = self._connection.getresponse()
        body = response.read()
        if not self._keep_alive:
            self._connection.close()
        milliseconds = (time.perf_counter() - started) * 1000
        model = response.headers.get("X-Model")
        if response.status != 200 or model != f"{self._model}/1":
            raise WrongAnswer(f"status {response.status}, X-Model {model}: {body[:300]!r}")
        timing = response.headers.get("Server-Timing", "")
        stages = (stage.partition(";dur=") for stage in timing.split(", ") if stage)
        return Reply(
            json.loads(body), milliseconds, {name: float(value) for name, _, value in stages}
        )

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()


def classify_path(model: str) -> str:
    """The path that classifies with a model."""
    return f"/api/classify?model={quote(model)}"


def free_ports(count: int) -> list[int]:
    """Finds different free ports: all are held until all are known."""
    with ExitStack() as stack:
        probes = [stack.enter_context(closing(socket.socket())) for _ in range(count)]
        for probe in probes:
            probe.bind((ADDRESS, 0))
        return [int(probe.getsockname()[1]) for probe in probes]
