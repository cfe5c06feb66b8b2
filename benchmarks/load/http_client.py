"""Sends HTTP requests over connections that are kept open: the smallest client that asyncio has."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks.load.plan import ADDRESS, PATIENCE_SECONDS, Ask, BadAnswer, Load, check_json

__all__ = ["open_http"]


@asynccontextmanager
async def open_http(load: Load) -> AsyncIterator[Ask]:
    """Yields the function that sends the load's request; closes its connections at the end."""
    client = _HttpClient(load)
    try:
        yield client.ask
    finally:
        client.close()


class _HttpClient:
    """Sends one request again and again, over as many connections as are needed at once."""

    def __init__(self, load: Load) -> None:
        self._load = load
        body = Path(load.file).read_bytes()
        head = (
            f"POST {load.path} HTTP/1.1\r\nHost: {ADDRESS}:{load.port}\r\n"
            f"Content-Type: {load.content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._request = head.encode() + body
        self._idle: list[_Connection] = []

    async def ask(self) -> None:
        connection = await self._connection()
        try:
            status, body = await asyncio.wait_for(connection.ask(self._request), PATIENCE_SECONDS)
            if status != 200:
                raise BadAnswer(f"status {status}: {body[:200]!r}")
            check_json(self._load, body)
        except BaseException:
            connection.close()
            raise
        if connection.is_open:
            self._idle.append(connection)

    def close(self) -> None:
        for connection in self._idle:
            connection.close()

    async def _connection(self) -> _Connection:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                return connection
        loop = asyncio.get_running_loop()
        return (await loop.create_connection(_Connection, ADDRESS, self._load.port))[1]


class _Connection(asyncio.Protocol):
    """One HTTP/1.1 connection, one request at a time."""

    def __init__(self) -> None:
        self._received = bytearray()
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._transport: asyncio.Transport | None = None
        self.is_open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.is_open = True

    def data_received(self, data: bytes) -> None:
        self._received += data
        head_end = self._received.find(b"\r\n\r\n")
        if head_end < 0 or self._answer is None or self._answer.done():
            return
        head = self._received[:head_end].decode("latin-1").lower()
        lines = [line.partition(":") for line in head.split("\r\n")]
        headers = {name: value.strip() for name, _, value in lines}
        if "content-length" not in headers:
            self._answer.set_exception(BadAnswer(f"no Content-Length: {head[:200]!r}"))
            self.close()
            return
        end = head_end + 4 + int(headers["content-length"])
        if len(self._received) < end:
            return
        body = bytes(self._received[head_end + 4 : end])
        del self._received[:end]
        if headers.get("connection") == "close":
            self.close()
        self._answer.set_result((int(head.split(" ", 2)[1]), body))

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(BadAnswer(f"the connection was cut: {exc}"))

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        self.is_open = False
        if self._transport is not None:
            self._transport.close()
