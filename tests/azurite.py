"""The storage emulator for tests, and queues in it through Microsoft's own client."""

from __future__ import annotations

import base64
import itertools
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.queue import QueueClient

from tools.azurite import Azurite

__all__ = ["Queue", "frozen", "wait_until"]

_numbers = itertools.count(1)


def wait_until(is_so: Callable[[], bool], what: str, seconds: float = 20.0) -> None:
    """Polls until it is so.

    Raises:
        AssertionError: it was not so in time.
    """
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.02)


@contextmanager
def frozen(azurite: Azurite) -> Iterator[None]:
    """The emulator does nothing meanwhile, and its connections stay open."""
    os.kill(azurite.process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(azurite.process.pid, signal.SIGCONT)


class Queue:
    """One queue with a name of its own; its ``-poison`` queue has the same methods.

    Args:
        azurite: where it is.
        name: the queue's; by default a new one.
        create: whether to make it now.
    """

    def __init__(self, azurite: Azurite, name: str | None = None, *, create: bool = True) -> None:
        self._azurite = azurite
        self.name = name or f"q{os.getpid()}-{next(_numbers)}"
        if create:
            self.create()

    @property
    def poison(self) -> Queue:
        """The queue for messages that failed too often; not made here."""
        return Queue(self._azurite, f"{self.name}-poison", create=False)

    def create(self) -> None:
        with self._client() as client:
            client.create_queue()

    def put(self, *texts: str, encode: bool = True) -> list[str]:
        """Puts messages, base64 as the host expects, and returns their ids."""
        with self._client() as client:
            raw = [base64.b64encode(text.encode()).decode() if encode else text for text in texts]
            return [client.send_message(text).id for text in raw]

    def depth(self) -> int:
        """How many messages there are, hidden ones included; 0 when there is no queue."""
        with self._client() as client, suppress(ResourceNotFoundError):
            return int(client.get_queue_properties().approximate_message_count or 0)
        return 0

    @property
    def exists(self) -> bool:
        with self._client() as client, suppress(ResourceNotFoundError):
            client.get_queue_properties()
            return True
        return False

    def visible(self) -> list[str]:
        """The raw texts of up to 32 messages that a reader would get now; they stay."""
        with self._client() as client:
            return [message.content for message in client.peek_messages(32)]

    def texts(self) -> list[str]:
        """As ``visible``, decoded."""
        return [base64.b64decode(text).decode() for text in self.visible()]

    def take(self) -> list[str]:
        """Takes all messages out and returns them decoded."""
        with self._client() as client:
            texts = []
            for message in client.receive_messages(messages_per_page=32):
                texts.append(base64.b64decode(message.content).decode())
                client.delete_message(message)
            return texts

    def clear(self) -> None:
        """Throws all messages away."""
        with self._client() as client:
            client.clear_messages()

    def _client(self) -> QueueClient:
        return QueueClient.from_connection_string(self._azurite.connection_string, self.name)
