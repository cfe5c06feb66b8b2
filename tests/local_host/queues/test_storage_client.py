"""The queue service over HTTP: the real emulator, and a server that behaves badly."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from local_host.queues.storage_account import StorageAccount
from local_host.queues.storage_client import StorageQueues, StorageUnavailable
from tests.support.azurite import Queue
from tests.support.servers import free_port
from tools.azurite import Azurite

CREATED = b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"
BUSY = b"HTTP/1.1 503 Busy\r\nx-ms-error-code: ServerBusy\r\nContent-Length: 0\r\n\r\n"


@asynccontextmanager
async def badly_behaved(*answers: bytes | None) -> AsyncIterator[str]:
    """A server that gives these answers in turn; None closes the connection without one."""
    left = list(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while left:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = head.partition(b"content-length: ")[2].partition(b"\r")[0]
                await reader.readexactly(int(length or 0))
                answer = left.pop(0)
                if answer is None:
                    return
                writer.write(answer)
                await writer.drain()
        except asyncio.IncompleteReadError:
            pass  # the client is done
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield f"AccountName=a;AccountKey=a2V5;QueueEndpoint=http://127.0.0.1:{port}/a"
    assert not left


def test_text_comes_back_as_it_was_put(azurite: Azurite) -> None:
    async def scenario() -> None:
        queue = Queue(azurite, create=False)
        storage = StorageQueues(StorageAccount.parse(azurite.connection_string, "S"))
        texts = ["", " a\tb\n", "1\r\n2\r3", "<x>&amp;]]>", "ü ✓ 🐈", "x" * 65536]
        for text in texts:
            await storage.put_and_create(queue.name, text)
        messages = await storage.get(queue.name, 32, 600)
        await storage.create(queue.name)  # there already, which is fine
        await storage.close()
        assert [message.text for message in messages] == texts

    asyncio.run(scenario())


def test_connection_that_the_service_closed_is_no_trouble() -> None:
    """A POST is not repeated by the HTTP library, and a lost poison message would be lost."""

    async def scenario() -> None:
        trouble: list[str | None] = []
        async with badly_behaved(CREATED, None, CREATED) as text:
            storage = StorageQueues(StorageAccount.parse(text, "S"), trouble.append)
            await storage.put("q", "one")
            await storage.put("q", "two")
            await storage.close()
        assert trouble == [None, None]

    asyncio.run(scenario())


def test_service_that_keeps_closing_or_is_busy_is_lost_with_the_reason() -> None:
    async def scenario() -> None:
        trouble: list[str | None] = []
        async with badly_behaved(None, None, BUSY) as text:
            storage = StorageQueues(StorageAccount.parse(text, "S"), trouble.append)
            for reason in ("disconnected", "503 ServerBusy"):
                with pytest.raises(StorageUnavailable, match=reason):
                    await storage.put("q", "one")
            await storage.close()
        assert len(trouble) == 2 and None not in trouble

    asyncio.run(scenario())


def test_service_that_is_not_there_is_lost_with_the_reason() -> None:
    async def scenario() -> None:
        text = f"AccountName=a;AccountKey=a2V5;QueueEndpoint=http://127.0.0.1:{free_port()}/a"
        storage = StorageQueues(StorageAccount.parse(text, "S"))
        with pytest.raises(StorageUnavailable, match=r"^connection refused$"):
            await storage.get("q", 1, 30)
        await storage.close()

    asyncio.run(scenario())
