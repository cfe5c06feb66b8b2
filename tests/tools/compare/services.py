"""Prediction services of every kind for the tests, and readers of what the command writes."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest

PROJECT = "6ad1d8e4-27de-4e47-8bf1-1c3b0b3f4a11"
NAMED = f"/customvision/v3.0/Prediction/{PROJECT}/classify/iterations"
KEY_A, KEY_B = "the-first-key", "the-second-key"
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")


class Asked(NamedTuple):
    """A request as a service saw it."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float


class Reply(NamedTuple):
    """What a service answers; a mapping goes out as JSON."""

    body: bytes | Mapping[str, Any] = b""
    status: int = 200
    headers: Mapping[str, str] = {}


Answering = Callable[[bytes], Reply | None]


def tags(**probabilities: float) -> Reply:
    """An answer of the prediction API."""
    predictions = [
        {"probability": each, "tagId": "", "tagName": name} for name, each in probabilities.items()
    ]
    return Reply({"id": "", "project": PROJECT, "iteration": "", "predictions": predictions})


def cat(body: bytes) -> Reply:
    return tags(cat=0.75, dog=0.25)


class Service:
    """A server that answers each POST as a function of the body says; None hangs up.

    Attributes:
        asked: the requests so far.
        url: its prediction URL.
    """

    def __init__(self, answer: Answering = cat) -> None:
        self.answer, self.asked = answer, list[Asked]()
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                service.asked.append(Asked(self.path, dict(self.headers), body, time.monotonic()))
                reply = service.answer(body)
                if reply is None:
                    self.close_connection = True
                    return
                raw = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body)
                raw = raw if isinstance(raw, bytes) else raw.encode()
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                with contextlib.suppress(OSError):  # the client did not wait
                    self.wfile.write(raw)

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        self.url = f"{self.address}{NAMED}/pets/image"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Ran(NamedTuple):
    status: int
    out: str
    err: str


Compare = Callable[..., Ran]


Serve = Callable[..., Service]


def kept(tmp_path: Path) -> dict[str, dict[str, Any]]:
    """What answers.jsonl has, by file; a later line goes before an earlier one."""
    lines = (tmp_path / "out" / "answers.jsonl").read_text().splitlines()
    return {each["file"]: each for each in map(json.loads, lines[1:])}


def rows(table: str) -> list[list[str]]:
    """The cells of every table in a text."""
    lines = [line for line in table.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def figure(ran: Ran, what: str) -> list[str]:
    """The cells beside a row's first one."""
    found = [cells[1:] for cells in rows(ran.out) if cells[0] == what]
    assert len(found) == 1, ran.out
    return found[0]
