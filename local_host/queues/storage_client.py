"""Makes the six requests to Azure Storage queues that a host needs.

``azure-storage-queue`` is not used because of its cost: fetching 32 messages and deleting each
takes 1.5 ms of CPU a message with its asyncio client (2.0 ms with the synchronous one; 1.4 ms with
a minimal pipeline), and 0.4 ms with this module. The functions need these cores. The tests use the
same queues through Microsoft's client.
"""

from __future__ import annotations

import asyncio
import os
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import quote
from xml.sax.saxutils import escape

import aiohttp
from yarl import URL

from local_host.queues.message import RawMessage
from local_host.queues.storage_account import StorageAccount

__all__ = ["StorageError", "StorageUnavailable", "StorageQueues"]

CONNECT_SECONDS = 5.0
# Long, because the effect of an abandoned request is unknown: the messages of an abandoned fetch
# stay hidden for ten minutes.
ANSWER_SECONDS = 60.0
# A slower answer is reported; the request continues.
SLOW_SECONDS = 5.0
# Shorter than the emulator's five seconds: a request on a connection that the emulator is closing
# would be lost.
KEEP_ALIVE_SECONDS = 3.0
# The errors of a kept-alive connection that the service has closed; a new one may work.
CLOSED = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)
# XML parsers turn a bare carriage return into a line feed.
CR = {"\r": "&#13;"}


class StorageError(Exception):
    """The service rejects a request.

    Attributes:
        status: the HTTP status.
        code: the service's error code, such as ``QueueNotFound``.
    """

    def __init__(self, status: int, code: str, request: str) -> None:
        super().__init__(f"{request} -> {status} {code}".rstrip())
        self.status = status
        self.code = code


class StorageUnavailable(Exception):
    """The service cannot be reached or fails; a later try may succeed."""


class StorageQueues:
    """The queues of one account.

    Args:
        account: the account.
        on_outcome: called with a reason for each request that gets no answer in time, and with
            None for each request that gets one.
    """

    def __init__(
        self,
        account: StorageAccount,
        on_outcome: Callable[[str | None], None] = lambda reason: None,
    ) -> None:
        self.account = account
        self._on_outcome = on_outcome
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            # Headers that are not signed must not be added.
            skip_auto_headers=("content-type", "accept-encoding"),
            timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS, sock_connect=CONNECT_SECONDS),
            # A proxy is for the internet; the emulator is on this machine.
            trust_env=account.endpoint.startswith("https:"),
        )

    async def close(self) -> None:
        """Closes the connections."""
        await self._session.close()

    async def get(self, queue: str, count: int, hidden_seconds: int) -> list[RawMessage]:
        """Fetches up to ``count`` messages (1 to 32) and hides them for ``hidden_seconds``."""
        query = {"numofmessages": str(count), "visibilitytimeout": str(hidden_seconds)}
        _, content = await self._request("GET", f"/{quote(queue)}/messages", query)
        try:
            return [_message(element) for element in ET.fromstring(content)]
        except (ET.ParseError, KeyError, ValueError, TypeError) as exc:
            raise StorageError(200, f"unreadable answer ({exc})", f"queue '{queue}'") from exc

    async def put(self, queue: str, text: str) -> None:
        """Adds a message that never expires."""
        body = f"<QueueMessage><MessageText>{escape(text, CR)}</MessageText></QueueMessage>"
        query = {"messagettl": "-1"}
        await self._request("POST", f"/{quote(queue)}/messages", query, body.encode())

    async def put_and_create(self, queue: str, text: str) -> None:
        """Adds a message, and creates the queue if it does not exist."""
        try:
            await self.put(queue, text)
        except StorageError as exc:
            if exc.code != "QueueNotFound":
                raise
            await self.create(queue)
            await self.put(queue, text)

    async def create(self, queue: str) -> None:
        """Creates a queue unless it exists."""
        try:
            await self._request("PUT", f"/{quote(queue)}", {})
        except StorageError as exc:
            if exc.status != 409:
                raise

    async def hide(self, queue: str, id: str, pop_receipt: str, seconds: int) -> str:
        """Hides a message for ``seconds``; 0 shows it at once. Returns the new pop receipt."""
        query = {"popreceipt": pop_receipt, "visibilitytimeout": str(seconds)}
        headers, _ = await self._request("PUT", f"/{quote(queue)}/messages/{quote(id)}", query)
        return headers.get("x-ms-popreceipt", pop_receipt)

    async def delete(self, queue: str, id: str, pop_receipt: str) -> None:
        """Deletes a message."""
        query = {"popreceipt": pop_receipt}
        await self._request("DELETE", f"/{quote(queue)}/messages/{quote(id)}", query)

    async def _request(
        self, method: str, path: str, query: Mapping[str, str], content: bytes = b""
    ) -> tuple[Mapping[str, str], bytes]:
        alarm = asyncio.get_running_loop().call_later(
            SLOW_SECONDS, self._on_outcome, f"it has not answered for {SLOW_SECONDS:g} s"
        )
        try:
            try:
                answer, body = await self._send(method, path, query, content)
            except aiohttp.ClientConnectorError:
                raise
            except CLOSED:
                answer, body = await self._send(method, path, query, content)
        except (aiohttp.ClientError, OSError, TimeoutError) as exc:
            reason = _reason(exc)
            self._on_outcome(reason)
            raise StorageUnavailable(reason) from exc
        finally:
            alarm.cancel()
        if answer.status < 300:
            self._on_outcome(None)
            return answer.headers, body
        code = answer.headers.get("x-ms-error-code") or answer.reason or ""
        if answer.status >= 500 or answer.status == 429:
            reason = f"it answers {answer.status} {code}"
            self._on_outcome(reason)
            raise StorageUnavailable(reason)
        self._on_outcome(None)
        raise StorageError(answer.status, code, f"{method} {path}")

    async def _send(
        self, method: str, path: str, query: Mapping[str, str], content: bytes
    ) -> tuple[aiohttp.ClientResponse, bytes]:
        async with self._session.request(
            method,
            URL(self.account.url(path, query), encoded=True),
            headers=self.account.headers(method, path, query, content),
            data=content or None,
        ) as answer:
            return answer, await answer.read()


def _reason(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorError):
        number = error.os_error.errno
        return os.strerror(number).lower() if number else str(error)
    if isinstance(error, TimeoutError):
        return "it does not answer"
    return str(error) or type(error).__name__


def _message(element: ET.Element) -> RawMessage:
    texts = {child.tag: child.text or "" for child in element}
    return RawMessage(
        id=texts["MessageId"],
        text=texts.get("MessageText", ""),
        pop_receipt=texts["PopReceipt"],
        dequeue_count=int(texts["DequeueCount"]),
        inserted=_time(texts["InsertionTime"]),
        expires=_time(texts["ExpirationTime"]),
        next_visible=_time(texts["TimeNextVisible"]),
    )


def _time(text: str) -> datetime:
    try:
        return parsedate_to_datetime(text)
    except ValueError:
        # A message that never expires has the year 9999, beyond the range of some clocks.
        return datetime.max.replace(tzinfo=UTC)
