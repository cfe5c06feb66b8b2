"""Serves one client's WebSocket with SignalR's JSON protocol, as a service in serverless mode.

Clients only listen. They send a handshake and pings; any other record ends the connection, because
no server behind the service could answer it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from local_host.signalr.clients import Client, Hub
from local_host.signalr.messages import RECORD_END, to_json

__all__ = ["serve_client"]

Record = dict[str, Any]

# Handshakes and pings are far shorter.
LONGEST_RECORD_CHARACTERS = 16 * 1024
HANDSHAKE_SECONDS = 15.0
PING, CLOSE = 6, 7
LISTEN_ONLY = (
    "Clients of a serverless hub only listen, and this one sent a message of type {}. Call an "
    "HTTP function instead."
)
NOT_A_RECORD = "The client sent data that is not a SignalR record in JSON."


async def serve_client(websocket: WebSocket, hub: Hub, client: Client) -> None:
    """Serves an accepted connection until its end; the client is in the hub meanwhile."""
    with contextlib.suppress(WebSocketDisconnect):
        records = _records(websocket)
        if not await _shake_hands(websocket, records):
            return
        hub.clients[client.connection_id] = client
        writing = asyncio.create_task(_write(websocket, client))
        try:
            await _listen(records, client)
        finally:
            del hub.clients[client.connection_id]
            client.forget()
            writing.cancel()
            await asyncio.wait([writing])


async def _shake_hands(websocket: WebSocket, records: AsyncIterator[Record]) -> bool:
    """Answers the client's handshake; returns False if the connection has ended."""
    try:
        async with asyncio.timeout(HANDSHAKE_SECONDS):
            request = await anext(records, None)
    except TimeoutError:
        request = {}
    if request is None:
        return False
    error = _handshake_error(request)
    await websocket.send_text(to_json({"error": error} if error else {}) + RECORD_END)
    if error:
        await websocket.close()
    return not error


async def _write(websocket: WebSocket, client: Client) -> None:
    # The listening task learns of the end of the connection.
    with contextlib.suppress(WebSocketDisconnect):
        await client.write(websocket.send_text)
        await websocket.close()


async def _listen(records: AsyncIterator[Record], client: Client) -> None:
    async for record in records:
        kind = record.get("type")
        if kind == PING or client.is_closing:
            client.heard_at = time.monotonic()
        elif kind == CLOSE:
            client.close()
        elif kind is None:
            client.close(NOT_A_RECORD)
        else:
            client.close(LISTEN_ONLY.format(kind))


async def _records(websocket: WebSocket) -> AsyncIterator[Record]:
    """Yields the client's records; empty ones for other values and for too long records."""
    buffer = ""
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            return
        text = message.get("text")
        buffer += text if text is not None else message["bytes"].decode("utf-8", "replace")
        *complete, buffer = buffer.split(RECORD_END)
        for record in complete:
            try:
                value = json.loads(record)
            except (ValueError, RecursionError):
                value = None
            yield value if isinstance(value, dict) else {}
        if len(buffer) > LONGEST_RECORD_CHARACTERS:
            buffer = ""
            yield {}


def _handshake_error(request: Record) -> str | None:
    """Returns the error of a handshake, None if it is valid."""
    if "protocol" not in request:
        return "The first record must be a handshake that names a protocol, within 15 seconds."
    if request["protocol"] != "json":
        return f"The protocol {request['protocol']!r} is not supported; json is."
    if request.get("version") != 1:
        return f"Version {request.get('version')!r} of the protocol json is not supported; 1 is."
    return None
