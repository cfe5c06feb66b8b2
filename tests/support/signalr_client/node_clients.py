"""Official JavaScript SignalR clients in one Node process, driven from a test."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

from tests.support.app_tree import ROOT

__all__ = ["NodeClients"]

PROGRAM = Path(__file__).with_name("clients.mjs")
PACKAGE = ROOT / "frontend" / "node_modules" / "@microsoft" / "signalr"
WAIT_SECONDS = 15.0

Event = dict[str, Any]


class NodeClients:
    """The clients, by name; skips the test where Node or the package is missing."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._changed = threading.Condition()

    def __enter__(self) -> NodeClients:
        node = shutil.which("node")
        if node is None:
            pytest.skip("Node.js is not installed")
        if not PACKAGE.is_dir():
            pytest.skip("@microsoft/signalr is not there: run `npm ci` in the folder frontend")
        self._process = subprocess.Popen(
            [node, str(PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()  # the program ends with its input
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        self._process.stdout.close()

    def tell(self, action: str, name: str, **details: Any) -> None:
        """Sends a command; see clients.mjs."""
        assert self._process.stdin
        command = {"do": action, "name": name, **details}
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()

    def connect(self, name: str, info: dict[str, str]) -> str:
        """Connects to what ``connection_info`` gave; returns the connection's id."""
        self.tell("connect", name, url=info["url"], token=info["accessToken"])
        return str(self.wait_for(name, "connected")["id"])

    def wait_for(self, name: str, event: str, count: int = 1) -> Event:
        """Waits for the ``count``-th event of a kind and returns it.

        Raises:
            AssertionError: it did not come; the message has all that came.
        """
        deadline = time.monotonic() + WAIT_SECONDS
        with self._changed:
            while True:
                found = self._found(name, event)
                if len(found) >= count:
                    return found[count - 1]
                if not self._changed.wait(deadline - time.monotonic()):
                    raise AssertionError(f"{name}: no {event!r} number {count}: {self._events}")

    def messages(self, name: str) -> list[list[Any]]:
        """The arguments of every message that a client has got so far."""
        with self._changed:
            return [event["arguments"] for event in self._found(name, "message")]

    def _found(self, name: str, event: str) -> list[Event]:
        return [each for each in self._events if (each["name"], each["event"]) == (name, event)]

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            with self._changed:
                self._events.append(json.loads(line))
                self._changed.notify_all()
