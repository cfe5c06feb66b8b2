"""The queue service over HTTP: the real emulator, and a server that behaves badly."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from local_host.queues.storage_account import StorageAccount
from local_host.queues.storage_client import StorageError, StorageQueues, StorageUnavailable
from tests.support.azurite import Queue
from tests.support.servers import free_port
from tools.azurite import Azurite

CREATED = b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s"
BUSY = b"HTTP/1.1 503 Busy\r\nx-ms-error-code: ServerBusy\r\nContent-Length: 0\r\n\r\n"


@asynccontextmanager
async def badly_behaved(
    *answers: bytes | None, requests: list[str] | None = None, pause: float = 0
) -> AsyncIterator[str]:
    """A server that gives these answers in turn; None closes the connection without one.

    Args:
        answers: whole answers, as HTTP has them.
        requests: gets the first line of each request, without the protocol.
        pause: seconds before each answer.
    """
    left = list(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while left:
                head = await reader.readuntil(b"\r\n\r\n")
                if requests is not None:
                    requests.append(head.decode().partition(" HTTP/1.1\r\n")[0])
                head = head.lower()
                length = head.partition(b"content-length: ")[2].partition(b"\r")[0]
                await reader.readexactly(int(length or 0))
                answer = left.pop(0)
                if answer is None:
                    return
                await asyncio.sleep(pause)
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


def refusal(status: int, code: str = "") -> bytes:
    header = f"x-ms-error-code: {code}\r\n" if code else ""
    return f"HTTP/1.1 {status} Reason\r\n{header}Content-Length: 0\r\n\r\n".encode()


@pytest.mark.parametrize("status", [429, 500, 503])
def test_service_that_cannot_answer_now_is_unavailable(status: int) -> None:
    async def scenario() -> None:
        outcomes: list[str | None] = []
        async with badly_behaved(refusal(status, "ServerBusy")) as text:
            storage = StorageQueues(StorageAccount.parse(text, "S"), outcomes.append)
            with pytest.raises(StorageUnavailable, match=f"it answers {status} ServerBusy"):
                await storage.delete("q", "1", "r")
            await storage.close()
        assert outcomes == [f"it answers {status} ServerBusy"]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [(400, "PopReceiptMismatch", "PopReceiptMismatch"), (404, "", "Reason"), (499, "X", "X")],
)
def test_refusal_of_the_service_has_its_status_and_code(
    status: int, code: str, expected: str
) -> None:
    async def scenario() -> None:
        outcomes: list[str | None] = []
        async with badly_behaved(refusal(status, code)) as text:
            storage = StorageQueues(StorageAccount.parse(text, "S"), outcomes.append)
            with pytest.raises(StorageError) as error:
                await storage.delete("q", "1", "r")
            await storage.close()
        assert (error.value.status, error.value.code) == (status, expected)
        assert str(error.value) == f"DELETE /q/messages/1 -> {status} {expected}"
        assert outcomes == [None], "it was reached"

    asyncio.run(scenario())


def test_message_for_a_queue_that_is_missing_makes_the_queue() -> None:
    async def scenario() -> None:
        requests: list[str] = []
        answers = [refusal(404, "QueueNotFound"), refusal(409, "QueueAlreadyExists"), CREATED]
        async with badly_behaved(*answers, requests=requests) as text:
            storage = StorageQueues(StorageAccount.parse(text, "S"))
            await storage.put_and_create("q", "one")
            await storage.close()
        put = "POST /a/q/messages?messagettl=-1"
        assert requests == [put, "PUT /a/q", put]

    asyncio.run(scenario())


def test_other_refusals_make_no_queue() -> None:
    async def scenario() -> None:
        answers = [refusal(403, "Denied"), refusal(404, "QueueNotFound"), refusal(403, "Denied")]
        async with badly_behaved(*answers) as text:
            storage = StorageQueues(StorageAccount.parse(text, "S"))
            for _ in range(2):
                with pytest.raises(StorageError, match="403 Denied"):
                    await storage.put_and_create("q", "one")
            await storage.close()

    asyncio.run(scenario())


def test_change_of_a_message_gives_the_new_receipt_and_names_the_old_one() -> None:
    async def scenario() -> None:
        requests: list[str] = []
        changed = b"HTTP/1.1 204 No Content\r\nx-ms-popreceipt: new+/=\r\nContent-Length: 0\r\n\r\n"
        unnamed = b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"
        async with badly_behaved(changed, unnamed, unnamed, requests=requests) as text:
            storage = StorageQueues(StorageAccount.parse(text, "S"))
            assert await storage.hide("q", "id 1", "old", 30) == "new+/="
            assert await storage.hide("q", "id", "new+/=", 0) == "new+/="
            await storage.delete("q", "id", "new+/=")
            await storage.close()
        assert requests == [
            "PUT /a/q/messages/id%201?popreceipt=old&visibilitytimeout=30",
            "PUT /a/q/messages/id?popreceipt=new%2B%2F%3D&visibilitytimeout=0",
            "DELETE /a/q/messages/id?popreceipt=new%2B%2F%3D",
        ]

    asyncio.run(scenario())


@pytest.mark.parametrize("content", [b"", b"<oops", b"<a><b/></a>"])
def test_answer_that_is_no_list_of_messages_is_an_error_that_says_so(content: bytes) -> None:
    async def scenario() -> None:
        requests: list[str] = []
        async with badly_behaved(OK % (len(content), content), requests=requests) as text:
            storage = StorageQueues(StorageAccount.parse(text, "S"))
            with pytest.raises(StorageError, match=r"queue 'q' -> 200 unreadable answer"):
                await storage.get("q", 32, 600)
            await storage.close()
        assert requests == ["GET /a/q/messages?numofmessages=32&visibilitytimeout=600"]

    asyncio.run(scenario())


def test_slow_answer_is_reported_before_it_comes_and_so_is_its_arrival(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("local_host.queues.storage_client.SLOW_SECONDS", 0.05)

    async def scenario() -> None:
        outcomes: list[str | None] = []
        async with badly_behaved(CREATED, pause=0.3) as text:
            storage = StorageQueues(StorageAccount.parse(text, "S"), outcomes.append)
            await storage.put("q", "one")
            await storage.close()
        assert outcomes == ["it has not answered for 0.05 s", None]

    asyncio.run(scenario())


def test_answer_in_good_time_is_not_reported_as_slow_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("local_host.queues.storage_client.SLOW_SECONDS", 0.5)

    async def scenario() -> None:
        outcomes: list[str | None] = []
        due = asyncio.Event()
        async with badly_behaved(CREATED) as text:
            storage = StorageQueues(StorageAccount.parse(text, "S"), outcomes.append)
            await storage.put("q", "one")
            # After the request's own alarm, if that is still set.
            asyncio.get_running_loop().call_later(0.55, due.set)
            await due.wait()
            await storage.close()
        assert outcomes == [None]

    asyncio.run(scenario())
