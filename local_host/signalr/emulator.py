"""Emulates Azure SignalR Service on a laptop; the official clients connect as to the real service.

It runs once, in the parent process, on its own socket. Functions send through
``SignalREmulator.send``, other programs through its REST API.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import socket
import time
from collections.abc import Iterator, Mapping
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from local_host.console import Console
from local_host.signalr.clients import PING, Client, Hub
from local_host.signalr.endpoint import InvalidToken, SignalREndpoint, client_url, user_of
from local_host.signalr.messages import Invocation, parse_message
from local_host.signalr.rest_api import bearer_token, error_response, rest_api
from local_host.signalr.websocket import serve_client

__all__ = ["SignalREmulator"]

# As in the service: after PING_SECONDS without a message it pings a client, and after
# SILENCE_SECONDS without a record from the client, not even a ping, it closes the connection.
PING_SECONDS = 15.0
SILENCE_SECONDS = 30.0
# The longest time between negotiation and connection.
TICKET_SECONDS = 30.0
GRACE_SECONDS = 1
BACKLOG = 2048
LARGEST_FRAME_BYTES = 64 * 1024


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves signals to the host."""
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Closes the connections, and aborts those of clients that do not read."""
        await super().shutdown(sockets)
        self.cut_off(None)

    def cut_off(self, address: Any) -> None:
        """Aborts a client's connection, or all with None, without waiting for unread data."""
        for connection in list(self.server_state.connections):
            if address is None or getattr(connection, "client", None) == address:
                connection.transport.abort()


class SignalREmulator:
    """The emulated service. Call ``send`` on the event loop that runs ``serve``."""

    def __init__(self, sock: socket.socket, endpoint: SignalREndpoint, console: Console) -> None:
        """Prepares the service on a listening socket, which the caller closes.

        Args:
            sock: a listening socket.
            endpoint: its URL must be the one under which browsers reach ``sock``.
            console: receives a line when a client is closed because it reads too slowly.
        """
        self._sock = sock
        self._endpoint = endpoint
        self._console = console
        self._hubs: dict[str, Hub] = {}
        # Connection token -> connection id and expiry (monotonic seconds); the oldest first.
        self._tickets: dict[str, tuple[str, float]] = {}
        self._ended = asyncio.Event()
        self._ended.set()
        self._server = _Server(
            uvicorn.Config(
                self._build_app(),
                ws="websockets-sansio",
                # Clients and service exchange SignalR's own ping records.
                ws_ping_interval=None,
                ws_max_size=LARGEST_FRAME_BYTES,
                # On a laptop, CPU time matters more than size.
                ws_per_message_deflate=False,
                loop="asyncio",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                backlog=BACKLOG,
                timeout_graceful_shutdown=GRACE_SECONDS,
            )
        )

    async def serve(self) -> None:
        """Serves until ``stop``; the clients then try to connect again."""
        # It would log the URL of each connection, token included.
        logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
        self._ended.clear()
        keeping_alive = asyncio.create_task(self._keep_alive())
        try:
            await self._server.serve(sockets=[self._sock])
        finally:
            keeping_alive.cancel()
            self._ended.set()

    def stop(self) -> None:
        """Makes ``serve`` return soon."""
        self._server.should_exit = True

    async def close(self) -> None:
        """Stops ``serve`` and waits for its end."""
        self.stop()
        await self._ended.wait()

    async def send(self, hub: str, message: Mapping[str, Any]) -> None:
        """Queues one message of a ``signalR`` output for its receivers, or changes a group.

        Raises:
            SignalRError: the message is invalid.
        """
        parsed = parse_message(message)
        if isinstance(parsed, Invocation):
            self._report_slow(self._hub(hub).send(parsed))
        else:
            self._hub(hub).change(parsed)

    def _hub(self, name: str) -> Hub:
        return self._hubs.setdefault(name.lower(), Hub())

    def _build_app(self) -> Starlette:
        # Any page may connect: it needs a token, which only functions issue. The response names
        # the origin, because clients send credentials by default.
        cors = Middleware(
            CORSMiddleware,
            allow_origin_regex=".*",
            allow_credentials=True,
            allow_methods=["*"],
            allow_headers=["*"],
        )
        methods = ["GET", "HEAD", "POST", "PUT", "DELETE"]
        routes = [
            Route("/client/negotiate", self._negotiate, methods=["POST"]),
            WebSocketRoute("/client/", self._connect),
            WebSocketRoute("/client", self._connect),
            Route("/api/{path:path}", self._rest, methods=methods),
        ]
        return Starlette(routes=routes, middleware=[cors])

    def _admit(self, connection: HTTPConnection) -> tuple[str, str | None]:
        """Checks a client's token and returns its hub and user.

        Raises:
            InvalidToken: the token is not valid for this hub.
        """
        query = connection.query_params
        hub = query.get("hub", "")
        token = bearer_token(connection.headers.get("authorization")) or query.get("access_token")
        claims = self._endpoint.read_token(token, {client_url(self._endpoint, hub)})
        return hub, user_of(claims)

    async def _negotiate(self, request: Request) -> Response:
        try:
            self._admit(request)
        except InvalidToken as exc:
            return error_response(401, str(exc))
        now = time.monotonic()
        while self._tickets and next(iter(self._tickets.values()))[1] < now:
            del self._tickets[next(iter(self._tickets))]
        connection_id, token = secrets.token_urlsafe(16), secrets.token_urlsafe(24)
        answer: dict[str, Any] = {"negotiateVersion": 1, "connectionId": connection_id}
        if request.query_params.get("negotiateVersion") == "1":
            answer["connectionToken"] = token
        else:
            answer["negotiateVersion"], token = 0, connection_id
        self._tickets[token] = (connection_id, now + TICKET_SECONDS)
        transports = [{"transport": "WebSockets", "transferFormats": ["Text"]}]
        return JSONResponse({**answer, "availableTransports": transports})

    async def _connect(self, websocket: WebSocket) -> None:
        try:
            hub, user = self._admit(websocket)
        except InvalidToken as exc:
            await websocket.send_denial_response(error_response(401, str(exc)))
            return
        connection_id = None
        if "id" in websocket.query_params:
            ticket = self._tickets.pop(websocket.query_params["id"], None)
            if ticket is None or ticket[1] < time.monotonic():
                await websocket.send_denial_response(
                    error_response(404, "Negotiate again: unknown id.")
                )
                return
            connection_id = ticket[0]
        await websocket.accept()
        address = websocket.scope["client"]
        client = Client(connection_id, user, lambda: self._server.cut_off(address))
        await serve_client(websocket, self._hub(hub), client)

    async def _rest(self, request: Request) -> Response:
        return await rest_api(request, self._endpoint, self._hub, self._report_slow)

    async def _keep_alive(self) -> None:
        while True:
            await asyncio.sleep(PING_SECONDS / 5)
            now = time.monotonic()
            for hub in self._hubs.values():
                for client in list(hub.clients.values()):
                    if now - client.heard_at > SILENCE_SECONDS:
                        client.close("The client was silent for 30 seconds.", reconnect=True)
                    elif now - client.wrote_at >= PING_SECONDS and client.is_idle:
                        client.put(PING)

    def _report_slow(self, count: int) -> None:
        if count:
            browsers, were = ("A browser", "was") if count == 1 else (f"{count} browsers", "were")
            self._console.line(
                f"{browsers} did not keep up with the SignalR messages and {were} disconnected.",
                "yellow",
            )
