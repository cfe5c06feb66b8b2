"""The emulator on the wire: negotiation, handshakes, pings, and browsers that hang."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from local_host.signalr import clients, websocket
from local_host.signalr import emulator as emulator_module
from tests.support.signalr_client.running import HUB, RunningEmulator

END = "\x1e"
HANDSHAKE = '{"protocol":"json","version":1}' + END
PING = '{"type":6}' + END


@pytest.fixture(scope="module")
def emulator() -> Iterator[RunningEmulator]:
    with RunningEmulator() as running:
        yield running


def open_socket(emulator: RunningEmulator, **options: Any) -> AbstractContextManager[Any]:
    """A WebSocket without negotiation, which the service allows too, and without handshake."""
    return connect_with(emulator, {"access_token": emulator.info()["accessToken"]}, **options)


def connect_with(
    emulator: RunningEmulator, query: dict[str, str], **options: Any
) -> AbstractContextManager[Any]:
    url = f"ws{emulator.info()['url'].removeprefix('http')}&{urlencode(query)}"
    connection: AbstractContextManager[Any] = connect(url, compression=None, proxy=None, **options)
    return connection


def records(websocket: ClientConnection) -> list[dict[str, Any]]:
    """All records until the connection ends."""
    texts: list[str] = []
    try:
        while True:
            texts.append(str(websocket.recv(15)))
    except ConnectionClosed:
        return [json.loads(text) for text in "".join(texts).split(END) if text]


def shake_hands(websocket: ClientConnection) -> None:
    websocket.send(HANDSHAKE)
    assert websocket.recv(15) == "{}" + END


def eventually(check: Callable[[], bool], seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while not check():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def negotiate(emulator: RunningEmulator, **parameters: str) -> requests.Response:
    info = emulator.info()
    return requests.post(
        info["url"].replace("/client/?", "/client/negotiate?"),
        params=parameters,
        headers={"Authorization": f"Bearer {info['accessToken']}", "Origin": "http://page.test"},
        timeout=10,
    )


def test_negotiation_offers_websockets_and_a_ticket_for_one_connection(
    emulator: RunningEmulator,
) -> None:
    answer = negotiate(emulator, negotiateVersion="1").json()
    ticket = {"id": answer["connectionToken"]}
    headers = {"Authorization": f"Bearer {emulator.info()['accessToken']}"}
    with connect_with(emulator, ticket, additional_headers=headers) as websocket:
        shake_hands(websocket)
        emulator.send("hello", connectionId=answer["connectionId"])
        assert "hello" in str(websocket.recv(10))
    with (
        pytest.raises(InvalidStatus) as caught,
        connect_with(emulator, ticket, additional_headers=headers),
    ):
        pass

    assert caught.value.response.status_code == 404
    assert answer["negotiateVersion"] == 1
    assert answer["connectionId"] != answer["connectionToken"]
    assert answer["availableTransports"] == [
        {"transport": "WebSockets", "transferFormats": ["Text"]}
    ]


def test_an_old_client_connects_with_its_connection_id(emulator: RunningEmulator) -> None:
    answer = negotiate(emulator).json()

    assert answer["negotiateVersion"] == 0
    assert "connectionToken" not in answer
    token = emulator.info()["accessToken"]
    ticket = {"id": answer["connectionId"], "access_token": token}
    with connect_with(emulator, ticket) as websocket:
        shake_hands(websocket)


@pytest.mark.parametrize(
    ("query", "status"), [({"access_token": "no"}, 401), ({"id": "unknown"}, 404)]
)
def test_a_bad_connection_is_refused_before_it_is_one(
    emulator: RunningEmulator, query: dict[str, str], status: int
) -> None:
    query = {"access_token": emulator.info()["accessToken"], **query}
    with pytest.raises(InvalidStatus) as caught, connect_with(emulator, query):
        pass

    assert caught.value.response.status_code == status


def test_any_page_may_negotiate_with_credentials_and_headers_of_its_own(
    emulator: RunningEmulator,
) -> None:
    preflight = requests.options(
        f"{emulator.endpoint.url}/client/negotiate",
        headers={
            "Origin": "http://page.test",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,x-signalr-user-agent",
        },
        timeout=10,
    )
    call = negotiate(emulator, negotiateVersion="1")

    assert preflight.status_code == 200
    assert "x-signalr-user-agent" in preflight.headers["Access-Control-Allow-Headers"]
    for answer in (preflight, call):
        assert answer.headers["Access-Control-Allow-Origin"] == "http://page.test"
        assert answer.headers["Access-Control-Allow-Credentials"] == "true"


def test_negotiation_wants_a_token(emulator: RunningEmulator) -> None:
    answer = requests.post(f"{emulator.endpoint.url}/client/negotiate?hub={HUB}", timeout=10)

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "handshake",
    [
        '{"protocol":"messagepack","version":1}\x1e',
        '{"protocol":"json","version":2}\x1e',
        PING,
        "not json\x1e",
        "null\x1e",
        "x" * 20_000,
    ],
)
def test_a_wrong_handshake_is_answered_with_the_reason(
    emulator: RunningEmulator, handshake: str
) -> None:
    with open_socket(emulator) as websocket:
        websocket.send(handshake)
        (answer,) = records(websocket)

    assert len(answer["error"]) > 20


def test_a_client_that_does_not_shake_hands_is_sent_away(
    emulator: RunningEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket, "HANDSHAKE_SECONDS", 0.1)
    with open_socket(emulator) as connection:
        (answer,) = records(connection)

    assert "handshake" in answer["error"]


def test_records_may_come_in_pieces_together_and_as_bytes(emulator: RunningEmulator) -> None:
    with open_socket(emulator) as websocket:
        websocket.send(HANDSHAKE[:9])
        websocket.send((HANDSHAKE[9:] + PING + PING[:4]).encode())
        websocket.send(PING[4:] + PING)
        assert websocket.recv(10) == "{}" + END
        assert eventually(lambda: emulator.listeners() > 0)
        emulator.send("hello")
        assert "hello" in str(websocket.recv(10))


@pytest.mark.parametrize(
    "sent",
    [
        '{"type":1,"target":"t","arguments":[]}\x1e',
        '{"type":1,"invocationId":"1","target":"t","arguments":[]}\x1e',
        '{"type":3,"invocationId":"1"}\x1e',
        '{"type":4,"invocationId":"1","target":"t","arguments":[]}\x1e',
        "{not json\x1e",
        "[6]\x1e",
        "x" * 20_000,
    ],
)
def test_whoever_talks_is_closed_with_an_error_and_not_asked_back(
    emulator: RunningEmulator, sent: str
) -> None:
    with open_socket(emulator) as websocket:
        shake_hands(websocket)
        websocket.send(sent)
        (close,) = records(websocket)

    assert close["type"] == 7
    assert len(close["error"]) > 20
    assert "allowReconnect" not in close


def test_quiet_clients_are_pinged_and_silent_ones_closed(
    emulator: RunningEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emulator_module, "PING_SECONDS", 0.2)
    monkeypatch.setattr(emulator_module, "SILENCE_SECONDS", 0.6)
    # An emulator of its own: the shared one sleeps with the usual times.
    with (
        RunningEmulator() as impatient,
        open_socket(impatient) as silent,
        open_socket(impatient) as lively,
    ):
        shake_hands(silent)
        shake_hands(lively)
        stop = threading.Event()

        def ping() -> None:
            while not stop.wait(0.1):
                lively.send(PING)

        pinging = threading.Thread(target=ping)
        pinging.start()
        *pings, close = records(silent)
        stop.set()
        pinging.join()
        impatient.send("still there?")
        texts = ""
        while "still there?" not in texts:
            texts += str(lively.recv(10))

    assert pings and all(record == {"type": 6} for record in pings)
    assert close["type"] == 7
    assert close["allowReconnect"] is True
    assert PING in texts


BIG = "x" * 500_000


def fill(emulator: RunningEmulator, quick: ClientConnection, line: str) -> int:
    """Broadcasts until the console says that a browser was too slow; the quick one keeps up."""
    sent = 0
    while not any(line in text for text in emulator.log):
        emulator.send(BIG)
        sent += 1
        assert sent < 200, "a browser that does not read is never closed"
        assert BIG in str(quick.recv(10))
    return sent


@pytest.mark.slow
def test_a_slow_browser_is_told_to_come_back_and_slows_nobody() -> None:
    with (
        RunningEmulator() as emulator,
        open_socket(emulator, max_queue=1) as slow,
        open_socket(emulator, max_size=None) as quick,
    ):
        shake_hands(slow)
        shake_hands(quick)
        sent = fill(emulator, quick, "A browser did not keep up")
        *heard, close = records(slow)

    assert close["type"] == 7
    assert close["allowReconnect"] is True
    assert "too slowly" in close["error"]
    assert 0 < len(heard) < sent


@pytest.mark.slow
def test_a_browser_that_hangs_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "CLOSE_SECONDS", 0.2)
    with (
        RunningEmulator() as emulator,
        open_socket(emulator, max_queue=1) as hanging,
        open_socket(emulator, max_size=None) as quick,
    ):
        shake_hands(hanging)
        shake_hands(quick)
        fill(emulator, quick, "A browser did not keep up")

        assert eventually(lambda: emulator.listeners() == 1)
        emulator.send("on we go")
        assert "on we go" in str(quick.recv(10))
        assert all(each["type"] == 1 for each in records(hanging)), "it left no time for more"


def test_a_hundred_clients_get_every_message_in_order(emulator: RunningEmulator) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(open_socket(emulator)) for _ in range(100)]
        for client in clients:
            shake_hands(client)
        for number in range(200):
            emulator.send(number)
        for client in clients:
            texts = ""
            while texts.count(END) < 200:
                texts += str(client.recv(10))
            got = [json.loads(text)["arguments"] for text in texts.split(END) if text]
            assert got == [[number] for number in range(200)]


def test_it_stops_at_once_with_clients_connected() -> None:
    with RunningEmulator() as emulator, open_socket(emulator) as websocket:
        shake_hands(websocket)
        start = time.monotonic()
        emulator.stop()
        took = time.monotonic() - start
        with pytest.raises(ConnectionClosed) as caught:
            websocket.recv(10)

    assert took < 2
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1012  # "service restart": clients connect again
