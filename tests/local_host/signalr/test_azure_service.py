"""Sending through the service's REST API: against the emulator, and against servers that fail."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from local_host.signalr import azure_service
from local_host.signalr.senders import AzureSignalRService, SignalREndpoint, SignalRError
from tests.support.servers import free_port
from tests.support.signalr_client.node_clients import NodeClients
from tests.support.signalr_client.running import HUB, KEY, RunningEmulator

ACCEPTED = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
MESSAGE = {"target": "newResult", "arguments": ["hello"]}


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def send(endpoint: SignalREndpoint, *messages: dict[str, Any]) -> None:
    async def run() -> None:
        service = AzureSignalRService(endpoint)
        try:
            for message in messages:
                await service.send(HUB, message)
        finally:
            await service.close()

    asyncio.run(run())


def test_what_is_sent_reaches_whom_it_is_for() -> None:
    with NodeClients() as clients, RunningEmulator() as emulator:
        ann = clients.connect("ann", emulator.info("ann/ä 1"))
        clients.connect("bob", emulator.info("bob"))

        def said(text: str, **receiver: str) -> dict[str, Any]:
            return {"target": "newResult", "arguments": [text], **receiver}

        send(
            emulator.endpoint,
            said("all"),
            said("ann", userId="ann/ä 1", groupName="bob's"),
            {"action": "add", "groupName": "g / h", "connectionId": ann},
            {"action": "add", "groupName": "bob's", "userId": "bob"},
            said("g", groupName="g / h"),
            said("bob's", groupName="bob's"),
            said("the connection", connectionId=ann, userId="bob"),
            {"action": "remove", "groupName": "g / h", "connectionId": ann},
            {"action": "remove", "groupName": "g / h", "connectionId": ann},
            {"action": "remove", "groupName": "bob's", "userId": "bob"},
            said("nobody", groupName="g / h"),
            {"action": "add", "groupName": "i", "connectionId": ann},
            {"action": "add", "groupName": "i", "userId": "bob"},
            {"action": "removeAll", "connectionId": ann},
            {"action": "removeAll", "userId": "bob"},
            said("nobody", groupName="i"),
            said("end"),
        )
        for name, wanted in {
            "ann": ["all", "ann", "g", "the connection", "end"],
            "bob": ["all", "bob's", "end"],
        }.items():
            clients.wait_for(name, "message", len(wanted))
            assert clients.messages(name) == [[text] for text in wanted]


def test_a_wrong_key_is_told_apart_and_stays_secret() -> None:
    wrong = "another key of forty characters and some"
    with RunningEmulator() as emulator, pytest.raises(SignalRError) as caught:
        send(SignalREndpoint(emulator.endpoint.url, wrong), MESSAGE)

    assert "401" in str(caught.value)
    assert "AccessKey in AzureSignalRConnectionString" in str(caught.value)
    assert wrong not in str(caught.value)


def test_adding_a_connection_that_is_not_there_fails() -> None:
    change = {"action": "add", "groupName": "g", "connectionId": "gone"}
    with RunningEmulator() as emulator, pytest.raises(SignalRError, match="404"):
        send(emulator.endpoint, change)


def test_a_service_that_is_not_there_is_an_error_that_says_so() -> None:
    with pytest.raises(SignalRError, match=r"cannot be reached.*Check the Endpoint"):
        send(SignalREndpoint(f"http://127.0.0.1:{free_port()}", KEY), MESSAGE)


def test_what_is_no_message_is_not_sent() -> None:
    with pytest.raises(SignalRError, match="Unable to convert JObject"):
        send(SignalREndpoint(f"http://127.0.0.1:{free_port()}", KEY), {"target": "t"})


Answer = Callable[[int], bytes | None]


@contextmanager
def server(answer: Answer) -> Iterator[tuple[SignalREndpoint, list[str]]]:
    """Answers the n-th request with bytes, not at all (b""), or by closing the connection."""
    requests: list[str] = []
    loop = asyncio.new_event_loop()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = int(head.lower().split("content-length: ")[1].split("\r\n")[0])
                requests.append(head + (await reader.readexactly(length)).decode())
                said = answer(len(requests))
                if said is None:
                    break
                writer.write(said)
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    listening = loop.run_until_complete(asyncio.start_server(talk, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    port = listening.sockets[0].getsockname()[1]
    try:
        yield SignalREndpoint(f"http://127.0.0.1:{port}", KEY), requests
    finally:
        asyncio.run_coroutine_threadsafe(_stop(listening), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _stop(listening: asyncio.Server) -> None:
    listening.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def test_the_call_is_the_one_that_the_service_documents() -> None:
    with server(lambda _: ACCEPTED) as (endpoint, requests):
        send(endpoint, {**MESSAGE, "userId": "a/b"})

    (request,) = requests
    head, _, body = request.partition("\r\n\r\n")
    path = f"/api/hubs/{HUB.lower()}/users/a%2Fb/:send"
    token = head.split("Bearer ")[1].split("\r\n")[0]
    assert head.startswith(f"POST {path}?api-version=2022-06-01 HTTP/1.1")
    assert "content-type: application/json" in head.lower()
    assert body == '{"target":"newResult","arguments":["hello"]}'
    assert endpoint.read_token(token, {endpoint.url + path})["aud"] == endpoint.url + path


def test_connections_are_kept_and_a_dropped_one_is_made_anew() -> None:
    """Idle connections end now and then; that must not lose a message."""
    with server(lambda number: None if number == 2 else ACCEPTED) as (endpoint, requests):
        send(endpoint, MESSAGE, MESSAGE, MESSAGE)

    assert len(requests) == 4


def test_a_service_that_always_hangs_up_is_asked_twice() -> None:
    with server(lambda _: None) as (endpoint, requests), pytest.raises(SignalRError) as caught:
        send(endpoint, MESSAGE)

    assert "the connection dropped" in str(caught.value)
    assert len(requests) == 2


def test_a_service_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(azure_service, "TOTAL_SECONDS", 0.2)
    with server(lambda _: b"") as (endpoint, requests), pytest.raises(SignalRError) as caught:
        send(endpoint, MESSAGE)

    assert "no answer within 0.2 seconds" in str(caught.value)
    assert len(requests) == 1


@pytest.mark.parametrize(
    ("status", "hint"), [("429 Too Many Requests", "quota"), ("503 Unavailable", "service failed")]
)
def test_an_answer_that_says_no_is_shown(status: str, hint: str) -> None:
    answer = f"HTTP/1.1 {status}\r\nContent-Length: 12\r\n\r\nthe reason .".encode()
    with server(lambda _: answer) as (endpoint, _), pytest.raises(SignalRError) as caught:
        send(endpoint, MESSAGE)

    for part in (status[:3], hint, "the reason"):
        assert part in str(caught.value)


def test_an_answer_that_is_not_http_is_an_error() -> None:
    with server(lambda _: b"SSH-2.0\r\n\r\n") as (endpoint, _), pytest.raises(SignalRError):
        send(endpoint, MESSAGE)
