"""Answers every request with the same: ``python -m benchmarks.servers.bare_http PORT``.

The cost of HTTP alone: the two programs, the kernel and the loopback network.
"""

from __future__ import annotations

import asyncio
import json
import sys

ADDRESS = "127.0.0.1"
ANSWER = {
    "created": "2026-01-01T00:00:00.000000",
    "predictedTagName": "nothing",
    "prediction": [{"tagName": "nothing", "probability": 1.0}],
}
BODY = json.dumps(ANSWER).encode()
HEADERS = {"Content-Type": "application/json", "X-Model": "nothing/1", "X-Engine": "none"}
_ANSWER = (
    b"HTTP/1.1 200 OK\r\n"
    + b"".join(f"{name}: {value}\r\n".encode() for name, value in HEADERS.items())
    + f"Content-Length: {len(BODY)}\r\n\r\n".encode()
    + BODY
)


class _Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self._received = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        self._received += data
        head_end = self._received.find(b"\r\n\r\n")
        if head_end < 0:
            return
        length = 0
        for line in self._received[:head_end].lower().split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            if name == b"content-length":
                length = int(value)
        if len(self._received) >= head_end + 4 + length:
            del self._received[: head_end + 4 + length]
            self._transport.write(_ANSWER)


async def serve(port: int) -> None:
    """Answers until the process is ended."""
    server = await asyncio.get_running_loop().create_server(_Connection, ADDRESS, port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
