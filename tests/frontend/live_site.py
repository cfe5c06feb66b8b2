"""The servers behind the live page: files, the API's ``negotiate`` and the SignalR emulator."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any

import azure.functions as func
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from image_classifier import Classifier, Settings
from image_classifier.bindings.negotiate import negotiate
from local_host.console import Console
from local_host.signalr.senders import SignalREmulator, SignalREndpoint, connection_info
from local_host.web.pages import Pages
from tests.frontend.reader import ROOT
from tests.support.servers import free_port

__all__ = ["HUB", "LiveSite"]

HUB = "imageclassification"
WAIT_SECONDS = 20.0


class LiveSite:
    """Serves from a thread of its own, for the length of a ``with`` block.

    Attributes:
        url: the page's and the API's address.
        keys: what ``API_KEYS`` holds; empty: no key is wanted.
        broken: an HTTP status and a body that ``negotiate`` answers instead, or None.
    """

    def __init__(self) -> None:
        self.url = ""
        self.keys = ""
        self.broken: tuple[int, str] | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="live site")
        self._console = Console(lambda text: None)
        self._endpoint = SignalREndpoint(f"http://127.0.0.1:{free_port()}", "k" * 44)
        self._service: tuple[SignalREmulator, socket.socket, asyncio.Task[None]] | None = None

    def __enter__(self) -> LiveSite:
        self._thread.start()
        self._run(self._start())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.stop_service()
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(WAIT_SECONDS)
        self._loop.close()
        self._console.close()

    def send(self, *messages: Any, target: str = "newResult") -> None:
        """Calls ``target`` on every page, once for each message."""
        self._run(self._send([(target, message) for message in messages]))

    def send_at_rate(self, messages: list[Any], per_second: int) -> None:
        """Sends results evenly; returns when the last is on its way."""
        self._run(self._send_at_rate(messages, per_second), timeout=60.0)

    def restore(self) -> None:
        """Undoes what a test has done to it."""
        self.keys, self.broken = "", None
        if self._service is None:
            self.start_service()

    def stop_service(self) -> None:
        """Ends the emulator: pages lose their connection. The API goes on."""
        if self._service is not None:
            self._run(self._stop_service())

    def start_service(self) -> None:
        """Starts the emulator (again), at the same address."""
        self._run(self._start_service())

    def _run(self, work: Coroutine[Any, Any, None], timeout: float = WAIT_SECONDS) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout)

    async def _start(self) -> None:
        app = Starlette(
            routes=[
                Route("/api/negotiate", self._negotiate, methods=["POST", "OPTIONS"]),
                Mount("/", Pages(ROOT)),
            ]
        )
        config = uvicorn.Config(app, port=0, log_config=None, access_log=False, lifespan="off")
        self._pages_socket = _listen(0)
        self.url = f"http://127.0.0.1:{self._pages_socket.getsockname()[1]}"
        self._pages = uvicorn.Server(config)
        self._serving = asyncio.create_task(self._pages.serve(sockets=[self._pages_socket]))
        await self._start_service()

    async def _stop(self) -> None:
        self._pages.should_exit = self._pages.force_exit = True
        await self._serving
        self._pages_socket.close()

    async def _start_service(self) -> None:
        sock = _listen(int(self._endpoint.url.rpartition(":")[2]))
        service = SignalREmulator(sock, self._endpoint, self._console)
        self._service = service, sock, asyncio.create_task(service.serve())

    async def _stop_service(self) -> None:
        assert self._service is not None
        service, sock, serving = self._service
        self._service = None
        service.stop()
        await serving
        sock.close()

    async def _negotiate(self, request: Request) -> Response:
        if self.broken and request.method == "POST":
            status, body = self.broken
            return Response(body, status, {"Access-Control-Allow-Origin": "*"})
        environ = {"AZURE_FUNCTIONS_ENVIRONMENT": "Development", "API_KEYS": self.keys}
        answer = negotiate(
            func.HttpRequest(
                request.method,
                str(request.url),
                headers=dict(request.headers),
                params=dict(request.query_params),
                body=await request.body(),
            ),
            json.dumps(connection_info(self._endpoint, HUB)),
            Classifier(Settings.from_environ(environ), app_root=ROOT),
        )
        headers = {**answer.headers, "Content-Type": answer.mimetype}
        return Response(answer.get_body(), answer.status_code, headers)

    async def _send(self, calls: list[tuple[str, Any]]) -> None:
        assert self._service is not None
        for target, message in calls:
            await self._service[0].send(HUB, {"target": target, "arguments": [message]})

    async def _send_at_rate(self, messages: list[Any], per_second: int) -> None:
        start = self._loop.time()
        for index, message in enumerate(messages):
            await asyncio.sleep(max(0.0, start + index / per_second - self._loop.time()))
            await self._send([("newResult", message)])


def _listen(port: int) -> socket.socket:
    sock = socket.socket()
    if sys.platform != "win32":  # there it would let two listen at once
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", port))
    sock.listen(128)
    return sock
