"""The official JavaScript client against the emulator, over real sockets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local_host.signalr.senders import SignalREndpoint, connection_info
from tests.support.signalr_client.node_clients import NodeClients
from tests.support.signalr_client.running import HUB, RunningEmulator


@pytest.fixture(scope="module")
def clients() -> Iterator[NodeClients]:
    with NodeClients() as running:
        yield running


@pytest.fixture(scope="module")
def emulator() -> Iterator[RunningEmulator]:
    with RunningEmulator() as running:
        yield running


def test_everyone_hears_a_broadcast_in_order(
    clients: NodeClients, emulator: RunningEmulator
) -> None:
    for name in ("one", "two"):
        clients.connect(name, emulator.info())
    texts = ["Grün", "\u2028\x1e</script>", "\U0001f600", "x" * 300_000]
    for number, text in enumerate(texts):
        emulator.send({"id": number, "predictedTagName": text})

    for name in ("one", "two"):
        clients.wait_for(name, "message", len(texts))
        assert clients.messages(name) == [
            [{"id": number, "predictedTagName": text}] for number, text in enumerate(texts)
        ]


def test_a_message_reaches_only_those_that_it_names(
    clients: NodeClients, emulator: RunningEmulator
) -> None:
    ids = {
        "ann": clients.connect("ann", emulator.info("ann")),
        "bob": clients.connect("bob", emulator.info("bob")),
        "bob again": clients.connect("bob again", emulator.info("bob")),
    }
    emulator.change_group(action="add", groupName="g", connectionId=ids["ann"])
    emulator.change_group(action="add", groupName="h", userId="bob")
    emulator.send("ann's", connectionId=ids["ann"], userId="bob")
    emulator.send("bob's", userId="bob", groupName="g")
    emulator.send("g's", groupName="g")
    emulator.send("h's", groupName="h")
    emulator.change_group(action="remove", groupName="g", connectionId=ids["ann"])
    emulator.change_group(action="removeAll", userId="bob")
    emulator.send("nobody's", groupName="g")
    emulator.send("nobody's", groupName="h")
    emulator.send("everyone's")

    for name, wanted in {
        "ann": ["ann's", "g's", "everyone's"],
        "bob": ["bob's", "h's", "everyone's"],
        "bob again": ["bob's", "h's", "everyone's"],
    }.items():
        clients.wait_for(name, "message", len(wanted))
        assert clients.messages(name) == [[text] for text in wanted]


def test_a_client_that_invokes_is_told_that_it_may_only_listen(
    clients: NodeClients, emulator: RunningEmulator
) -> None:
    for name, action in (("invoker", "invoke"), ("sender", "send")):
        clients.connect(name, emulator.info())
        clients.tell(action, name, method="hello")
        error = clients.wait_for(name, "closed")["error"]

        assert "Server returned an error on close" in error
        assert "only listen" in error
        assert "HTTP function" in error


@pytest.mark.parametrize("wrong", ["key", "hub", "endpoint"])
def test_a_token_for_something_else_is_refused(
    clients: NodeClients, emulator: RunningEmulator, wrong: str
) -> None:
    there = emulator.endpoint
    endpoint = {
        "key": SignalREndpoint(there.url, "another key, just as long as the right one"),
        "endpoint": SignalREndpoint("http://127.0.0.1:1", there.access_key),
    }.get(wrong, there)
    token = connection_info(endpoint, "another" if wrong == "hub" else HUB)["accessToken"]
    clients.tell("connect", f"wrong {wrong}", url=emulator.info()["url"], token=token)

    assert "401" in clients.wait_for(f"wrong {wrong}", "refused")["error"]


def test_clients_come_back_when_the_stand_in_does(clients: NodeClients) -> None:
    with RunningEmulator() as first:
        clients.connect("faithful", first.info("eve"))
        first.send("before")
        clients.wait_for("faithful", "message")
    clients.wait_for("faithful", "reconnecting")
    with RunningEmulator(first.port) as second:
        clients.wait_for("faithful", "connected", 2)
        second.send("after", userId="eve")
        clients.wait_for("faithful", "message", 2)
        clients.tell("stop", "faithful")
        closed = clients.wait_for("faithful", "closed")

    assert clients.messages("faithful") == [["before"], ["after"]]
    assert closed["error"] == ""


def test_two_hubs_do_not_hear_each_other(clients: NodeClients, emulator: RunningEmulator) -> None:
    clients.connect("stranger", connection_info(emulator.endpoint, "other"))
    clients.connect("native", emulator.info())
    emulator.send("for one hub")
    emulator.send("for the other", hub="OTHER")

    for name, text in (("native", "for one hub"), ("stranger", "for the other")):
        clients.wait_for(name, "message")
        assert clients.messages(name) == [[text]]
