"""One client's WebSocket: the JSON protocol of SignalR, as a service in serverless mode speaks it.

Clients listen. They open with a handshake and send pings; whatever else they send ends the
connection, because there is no server behind the service that could answer.
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

# Handshakes and pings are shorter by far.
LONGEST_RECORD_CHARACTERS = 16 * 1024
HANDSHAKE_SECONDS = 15.0
PING, CLOSE = 6, 7
LISTEN_ONLY = (
    "Clients of a serverless hub only listen, and this one sent a message of type {}. Call an "
    "HTTP function instead."
)
NOT_A_RECORD = "The client sent something that is not a SignalR record in JSON."


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
    """Answers the client's first record; False when the conversation is over with that."""
    try:
        async with asyncio.timeout(HANDSHAKE_SECONDS):
            request = await anext(records, None)
    except TimeoutError:
        request = {}
    if request is None:
        return False
    error = _why_not(request)
    await websocket.send_text(to_json({"error": error} if error else {}) + RECORD_END)
    if error:
        await websocket.close()
    return not error


async def _write(websocket: WebSocket, client: Client) -> None:
    # A connection that ends is told to the listening side.
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
    """The client's records until it is gone; empty ones for what is no JSON object or too long."""
    rest = ""
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            return
        text = message.get("text")
        rest += text if text is not None else message["bytes"].decode("utf-8", "replace")
        *complete, rest = rest.split(RECORD_END)
        for record in complete:
            try:
                value = json.loads(record)
            except (ValueError, RecursionError):
                value = None
            yield value if isinstance(value, dict) else {}
        if len(rest) > LONGEST_RECORD_CHARACTERS:
            rest = ""
            yield {}


def _why_not(request: Record) -> str | None:
    """What is wrong with a handshake."""
    if "protocol" not in request:
        return "The first record must be a handshake that names a protocol, within 15 seconds."
    if request["protocol"] != "json":
        return f"The protocol {request['protocol']!r} is not supported; json is."
    if request.get("version") != 1:
        return f"Version {request.get('version')!r} of the protocol json is not supported; 1 is."
    return None
