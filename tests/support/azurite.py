"""The storage emulator for tests; queues and containers in it through Microsoft's own clients."""

from __future__ import annotations

import base64
import itertools
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import ContainerClient, ContainerSasPermissions, generate_container_sas
from azure.storage.queue import QueueClient

from tools.azurite import Azurite
from tools.bootstrap.azurite_emulator import ACCOUNT, KEY

__all__ = ["Container", "Queue", "frozen", "wait_until"]

# Every Azurite of the last years knows it; the client's own newest, Azurite learns later.
API_VERSION = "2021-12-02"

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


class Container:
    """One container with a name of its own.

    Args:
        azurite: where it is; its service is blob.
        public: whether everybody may read it.
        create: whether to make it now.
    """

    def __init__(self, azurite: Azurite, *, public: bool = False, create: bool = True) -> None:
        self.name = f"c{os.getpid()}-{next(_numbers)}"
        self.url = f"{azurite.endpoint}/{self.name}"
        self._connection = azurite.connection_string
        if create:
            with self.client() as client:
                client.create_container(public_access="container" if public else None)

    def client(self) -> ContainerClient:
        return ContainerClient.from_connection_string(
            self._connection, self.name, api_version=API_VERSION
        )

    def put(self, name: str, content: bytes) -> None:
        """Uploads one blob, in place of what was there."""
        with self.client() as client:
            client.upload_blob(name, content, overwrite=True)

    def put_folder(self, folder: Path, prefix: str) -> None:
        """Uploads files as other tools do: one after the other, and no manifest."""
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.put(f"{prefix}/{path.relative_to(folder).as_posix()}", path.read_bytes())

    def names(self) -> list[str]:
        """The names of all blobs."""
        with self.client() as client:
            return sorted(client.list_blob_names())

    def delete(self, *names: str) -> None:
        with self.client() as client:
            for name in names:
                client.delete_blob(name)

    def signature(self, *, write: bool = False, hours: float = 1.0) -> str:
        """A shared access signature for it."""
        return generate_container_sas(
            ACCOUNT,
            self.name,
            KEY,
            permission=ContainerSasPermissions(read=True, list=True, write=write, delete=write),
            expiry=datetime.now(UTC) + timedelta(hours=hours),
        )
