"""Keeps the clients of the SignalR emulator: their connections, groups and queued messages."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Collection, Iterable

from local_host.signalr.messages import RECORD_END, GroupChange, Invocation, Receivers, to_json

__all__ = ["Client", "Hub"]

# Limit of the text queued for a browser that does not read; beyond it the client is closed. It is
# half a minute of a busy page. A broadcast's text is one object shared by all outboxes.
OUTBOX_LIMIT_BYTES = 8 * 1024 * 1024
# A single message is sent at once. In a stream each write includes the messages queued meanwhile.
GATHER_SECONDS = 0.02
BATCH_BYTES = 256 * 1024
# A browser that does not read the close record is disconnected after this time.
CLOSE_SECONDS = 5.0
PING = to_json({"type": 6}) + RECORD_END
TOO_SLOW = "The client reads too slowly: more than 8 MiB were waiting for it. Connect again."


class Client:
    """One connection, from its handshake to its end, on one event loop.

    Attributes:
        connection_id: the id that messages use.
        user_id: the user in its token; None without a user.
        groups: the groups of this connection.
        heard_at: monotonic time of the last record from the client, in seconds.
        wrote_at: monotonic time of the last record to the client, in seconds.
    """

    def __init__(
        self, connection_id: str | None, user_id: str | None, cut_off: Callable[[], None]
    ) -> None:
        """Creates the client; ``cut_off`` drops its connection without waiting."""
        self.connection_id = connection_id or secrets.token_urlsafe(16)
        self.user_id = user_id
        self.groups: set[str] = set()
        self.heard_at = self.wrote_at = time.monotonic()
        self._cut_off = cut_off
        self._records: deque[str] = deque()
        self._size = 0
        self._wake = asyncio.Event()
        self._is_closing = False
        self._cutting: asyncio.TimerHandle | None = None

    @property
    def is_closing(self) -> bool:
        """Whether the client has ended or is sending its last records."""
        return self._is_closing

    @property
    def is_idle(self) -> bool:
        """Whether no record is queued."""
        return not self._records

    def put(self, record: str) -> bool:
        """Queues a record without waiting.

        Returns:
            False if this closed the client because its outbox is full.
        """
        if self._is_closing:
            return True
        if self._size + len(record) > OUTBOX_LIMIT_BYTES:
            self._records.clear()
            self._size = 0
            self.close(TOO_SLOW, reconnect=True)
            return False
        self._records.append(record)
        self._size += len(record)
        self._wake.set()
        return True

    def close(self, error: str | None = None, *, reconnect: bool = False) -> None:
        """Queues a close record; ``reconnect`` lets the client connect again by itself."""
        if self._is_closing:
            return
        self._is_closing = True
        message = {"type": 7} | ({"error": error} if error else {})
        self._records.append(
            to_json(message | ({"allowReconnect": True} if reconnect else {})) + RECORD_END
        )
        self._wake.set()
        self._cutting = asyncio.get_running_loop().call_later(CLOSE_SECONDS, self._cut_off)

    async def write(self, send_text: Callable[[str], Awaitable[None]]) -> None:
        """Sends queued records until the close record is sent."""
        while not (self._is_closing and not self._records):
            await self._wake.wait()
            pause = self.wrote_at + GATHER_SECONDS - time.monotonic()
            if pause > 0 and not self._is_closing:
                await asyncio.sleep(pause)
            batch = self._take()
            await send_text(batch)
            self.wrote_at = time.monotonic()

    def forget(self) -> None:
        """Drops the queued records; call it when the connection has ended."""
        self._is_closing = True
        self._records.clear()
        if self._cutting is not None:
            self._cutting.cancel()

    def _take(self) -> str:
        batch: list[str] = []
        size = 0
        while self._records and size < BATCH_BYTES:
            batch.append(self._records.popleft())
            size += len(batch[-1])
        self._size -= size
        if not self._records:
            self._wake.clear()
        return "".join(batch)


class Hub:
    """The clients of one hub.

    Attributes:
        clients: by connection id.
    """

    def __init__(self) -> None:
        self.clients: dict[str, Client] = {}
        # A user stays in a group without a connection. user -> group -> expiry (monotonic seconds).
        self._groups_of_user: dict[str, dict[str, float]] = defaultdict(dict)

    def select(
        self, receivers: Receivers, name: str = "", excluded: Collection[str] = ()
    ) -> list[Client]:
        """Returns the receivers of a message."""
        if receivers == "connections":
            client = self.clients.get(name)
            return [client] if client else []
        clients: Iterable[Client] = self.clients.values()
        if receivers == "users":
            clients = (client for client in clients if client.user_id == name)
        elif receivers == "groups":
            clients = (client for client in clients if self._is_member(client, name))
        return [client for client in clients if client.connection_id not in excluded]

    def send(self, invocation: Invocation, excluded: Collection[str] = ()) -> int:
        """Queues a message for its receivers; returns how many were closed as too slow."""
        receivers = self.select(invocation.receivers, invocation.name, excluded)
        record = invocation.to_record()
        return sum(not client.put(record) for client in receivers)

    def change(self, change: GroupChange, ttl_seconds: float | None = None) -> bool:
        """Changes a group; returns False if the connection or its membership did not exist."""
        if change.members == "users":
            groups = self._groups_of_user[change.name]
            was_in = change.group in groups
            if change.action == "add":
                until = float("inf") if ttl_seconds is None else time.monotonic() + ttl_seconds
                groups[change.group] = until
            elif change.action == "remove":
                groups.pop(change.group, None)
            else:
                groups.clear()
            if not groups:
                del self._groups_of_user[change.name]
            return was_in or change.action != "remove"
        client = self.clients.get(change.name)
        if client is None:
            return False
        was_in = change.group in client.groups
        if change.action == "add":
            client.groups.add(change.group)
        elif change.action == "remove":
            client.groups.discard(change.group)
        else:
            client.groups.clear()
        return was_in or change.action != "remove"

    def has_user_in_group(self, user: str, group: str) -> bool:
        """Whether the user is in the group and the membership has not expired."""
        # .get, because a look-up must not add the user to the defaultdict.
        return self._groups_of_user.get(user, {}).get(group, 0.0) > time.monotonic()

    def _is_member(self, client: Client, group: str) -> bool:
        if group in client.groups:
            return True
        return client.user_id is not None and self.has_user_in_group(client.user_id, group)
