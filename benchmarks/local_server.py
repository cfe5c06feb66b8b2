"""The project's own local host as a server to measure, and the smallest client for it."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from benchmarks.cases import WrongAnswer
from benchmarks.processes import Program, running

ADDRESS = "127.0.0.1"
START_SECONDS = 120
REQUEST_SECONDS = 60
POLL_SECONDS = 0.01


@contextmanager
def local_host(environ: Mapping[str, str]) -> Iterator[tuple[Program, int]]:
    """Starts the local host with one worker; gives it and its port at once, ready or not."""
    port = _free_port()
    arguments = ["--address", ADDRESS, "--port", str(port), "--workers", "1"]
    with running("local_host", arguments, environ) as program:
        yield program, port


def wait_until_ready(program: Program, port: int) -> None:
    """Polls until the host says that it can take requests."""
    give_up = time.monotonic() + START_SECONDS
    while program.is_running() and time.monotonic() < give_up:
        client = http.client.HTTPConnection(ADDRESS, port, timeout=REQUEST_SECONDS)
        try:
            client.request("GET", "/admin/host/status")
            if client.getresponse().status == 200:
                return
        except OSError:
            pass
        finally:
            client.close()
        time.sleep(POLL_SECONDS)
    raise program.failure("did not become ready")


class Client:
    """Posts images. Python's own ``http.client``: what is measured is the server, not a library.

    Args:
        port: of a server on this machine.
        model: that must answer.
        keep_alive: one connection for all requests, or one for each.
    """

    def __init__(self, port: int, model: str, *, keep_alive: bool) -> None:
        self._connection = http.client.HTTPConnection(ADDRESS, port, timeout=REQUEST_SECONDS)
        self._model = model
        self._keep_alive = keep_alive

    def classify(self, image: bytes) -> dict[str, Any]:
        """The answer's JSON; WrongAnswer unless it is 200 from the right model."""
        headers = {"Content-Type": "application/octet-stream"}
        if not self._keep_alive:
            headers["Connection"] = "close"
        path = f"/api/classify?model={quote(self._model)}"
        self._connection.request("POST", path, image, headers)
        response = self._connection.getresponse()
        body = response.read()
        if not self._keep_alive:
            self._connection.close()
        model = response.headers.get("X-Model")
        if response.status != 200 or model != f"{self._model}/1":
            raise WrongAnswer(f"status {response.status}, X-Model {model}: {body[:300]!r}")
        answer: dict[str, Any] = json.loads(body)
        return answer

    def close(self) -> None:
        self._connection.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((ADDRESS, 0))
        return int(probe.getsockname()[1])
