"""Watches results as a page does: negotiates with the app, listens on SignalR."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import requests
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

RECORD_END = "\x1e"
INVOCATION, PING = 1, 6
SECONDS = 20


@dataclass(frozen=True)
class Heard:
    """One message.

    Attributes:
        at: when it came, by ``time.perf_counter``.
        target: ``newResult`` or ``newFailure``.
        content: its one argument.
    """

    at: float
    target: str
    content: dict[str, Any]


class Viewer:
    """Listens in a thread of its own for the length of a ``with`` block.

    Args:
        url: of the app, without a slash at the end.

    Attributes:
        heard: what came, in order; it only grows.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self.heard: list[Heard] = []
        self._socket: ClientConnection
        self._open = ExitStack()
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> Viewer:
        self._socket = self._connect()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()
        self._thread.join(SECONDS)

    def wait_for(self, is_enough: Callable[[list[Heard]], bool], seconds: float) -> bool:
        """Waits until enough was heard; returns False when the time is over."""
        give_up = time.monotonic() + seconds
        while not is_enough(self.heard):
            if time.monotonic() > give_up:
                return False
            time.sleep(0.02)
        return True

    def _connect(self) -> ClientConnection:
        answer = requests.post(f"{self._url}/api/negotiate?negotiateVersion=1", timeout=SECONDS)
        answer.raise_for_status()
        info = answer.json()
        service = urlsplit(info["url"])
        bearer = {"Authorization": f"Bearer {info['accessToken']}"}
        asked = service._replace(
            path="/client/negotiate", query=f"{service.query}&negotiateVersion=1"
        )
        answer = requests.post(urlunsplit(asked), headers=bearer, timeout=SECONDS)
        answer.raise_for_status()
        ticket = quote(answer.json()["connectionToken"])
        query = f"{service.query}&id={ticket}&access_token={info['accessToken']}"
        scheme = "wss" if service.scheme == "https" else "ws"
        # No proxy: the service is on this machine. No limit: a slow viewer is measured, too.
        address = urlunsplit(service._replace(scheme=scheme, query=query))
        socket = self._open.enter_context(
            connect(address, proxy=None, max_size=None, compression=None)
        )
        socket.send(json.dumps({"protocol": "json", "version": 1}) + RECORD_END)
        greeting = socket.recv(SECONDS)
        if greeting != "{}" + RECORD_END:
            raise RuntimeError(f"the SignalR handshake was answered with {greeting!r}")
        return socket

    def _listen(self) -> None:
        try:
            for frame in self._socket:
                now = time.perf_counter()
                assert isinstance(frame, str)
                for record in frame.split(RECORD_END)[:-1]:
                    message = json.loads(record)
                    if message["type"] == INVOCATION:
                        [content] = message["arguments"]
                        self.heard.append(Heard(now, message["target"], content))
                    elif message["type"] == PING:
                        self._socket.send(json.dumps({"type": PING}) + RECORD_END)
        except ConnectionClosed:
            return
