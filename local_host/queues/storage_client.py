"""Azure Storage queues over HTTP: the six requests that a host makes.

``azure-storage-queue`` is not used here because of what it costs: fetching 32 messages and deleting
each takes 1.5 ms of CPU a message with its asyncio client (2.0 ms with the other one; 1.4 ms with
its pipeline cut down to what must be there), and this takes 0.4 ms, on 2 cores beside which the
functions want to run. The tests talk to the same queues through Microsoft's client.
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
# Long, because what a request did that nobody waited for is unknown: messages that were fetched
# for nobody are out of sight for ten minutes.
ANSWER_SECONDS = 60.0
# An answer that takes longer counts as trouble; the request goes on.
SLOW_SECONDS = 5.0
# Shorter than the emulator's five seconds: who closes first decides whether a request is lost.
KEEP_ALIVE_SECONDS = 3.0
# How it shows that the service closed a connection that it had kept for us; a new one may do.
CLOSED = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)
# XML readers turn a bare carriage return into a line feed.
CR = {"\r": "&#13;"}


class StorageError(Exception):
    """The service refuses a request.

    Attributes:
        status: the HTTP status.
        code: the service's name for what is wrong, such as ``QueueNotFound``.
    """

    def __init__(self, status: int, code: str, what: str) -> None:
        super().__init__(f"{what} -> {status} {code}".rstrip())
        self.status = status
        self.code = code


class StorageUnavailable(Exception):
    """The service cannot be reached or does not do its work now; later it may."""


class StorageQueues:
    """The queues of one account.

    Args:
        account: where they are.
        on_outcome: called with a reason each time that a request gets no answer in good time, and
            with None each time that one does.
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
            # What is not signed must not be added.
            skip_auto_headers=("content-type", "accept-encoding"),
            timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS, sock_connect=CONNECT_SECONDS),
            # A proxy is for the internet; the emulator is on this machine.
            trust_env=account.endpoint.startswith("https:"),
        )

    async def close(self) -> None:
        """Closes the connections."""
        await self._session.close()

    async def get(self, queue: str, count: int, hidden_seconds: int) -> list[RawMessage]:
        """Fetches up to ``count`` messages (1 to 32), which nobody else sees for that long."""
        query = {"numofmessages": str(count), "visibilitytimeout": str(hidden_seconds)}
        _, content = await self._request("GET", f"/{quote(queue)}/messages", query)
        try:
            return [_message(element) for element in ET.fromstring(content)]
        except (ET.ParseError, ValueError, TypeError) as exc:
            raise StorageError(200, f"unreadable answer ({exc})", f"queue '{queue}'") from exc

    async def put(self, queue: str, text: str) -> None:
        """Puts a message, which the service will not drop for its age."""
        body = f"<QueueMessage><MessageText>{escape(text, CR)}</MessageText></QueueMessage>"
        query = {"messagettl": "-1"}
        await self._request("POST", f"/{quote(queue)}/messages", query, body.encode())

    async def put_and_create(self, queue: str, text: str) -> None:
        """As ``put``, and makes the queue if there is none."""
        try:
            await self.put(queue, text)
        except StorageError as exc:
            if exc.code != "QueueNotFound":
                raise
            await self.create(queue)
            await self.put(queue, text)

    async def create(self, queue: str) -> None:
        """Makes a queue; one that is there already is fine."""
        try:
            await self._request("PUT", f"/{quote(queue)}", {})
        except StorageError as exc:
            if exc.status != 409:
                raise

    async def hide(self, queue: str, id: str, pop_receipt: str, seconds: int) -> str:
        """Sets when a message is seen again; 0 is at once. Returns the new pop receipt."""
        query = {"popreceipt": pop_receipt, "visibilitytimeout": str(seconds)}
        headers, _ = await self._request("PUT", f"/{quote(queue)}/messages/{quote(id)}", query)
        return headers.get("x-ms-popreceipt", pop_receipt)

    async def delete(self, queue: str, id: str, pop_receipt: str) -> None:
        """Deletes a message for good."""
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
        # A message that never expires does so in the year 9999, beyond what some clocks hold.
        return datetime.max.replace(tzinfo=UTC)
