"""Queue triggers and outputs, with the real emulator and real worker processes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.azurite import Queue, wait_until
from tests.local_host.apps import write_app, write_function
from tests.servers import LocalHost
from tools.azurite import Azurite

READER = """
    def main(msg: func.QueueMessage, out: func.Out[str]) -> None:
        text = msg.get_body().decode()
        if text == "bad":
            raise ValueError("no good")
        out.set(json.dumps({
            "text": text,
            "id": msg.id,
            "tries": msg.dequeue_count,
            "inserted": msg.insertion_time.isoformat(),
            "visible": msg.time_next_visible.isoformat(),
            "expires": msg.expiration_time.year,
            "receipt": bool(msg.pop_receipt),
            "process": os.getpid(),
        }))
"""


def trigger(queue: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "queueTrigger",
        "direction": "in",
        "name": "msg",
        "queueName": queue,
        "connection": "AzureWebJobsStorage",
        **more,
    }


def queue_out(queue: str, name: str = "out", **more: Any) -> dict[str, Any]:
    return {"type": "queue", "direction": "out", "name": name, "queueName": queue, **more}


@dataclass
class App:
    """One running app: what is put into ``given`` comes out of ``results`` as JSON."""

    host: LocalHost
    given: Queue
    results: Queue

    def take(self, count: int = 1) -> list[dict[str, Any]]:
        """Waits for so many results and takes them."""
        wait_until(lambda: self.results.depth() >= count, f"{count} results")
        return [json.loads(text) for text in self.results.take()]


@pytest.fixture(scope="module", params=[1, 2], ids=["alone", "two workers"])
def app(
    request: pytest.FixtureRequest, azurite: Azurite, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[App]:
    root = write_app(tmp_path_factory.mktemp("app"))
    given, results = Queue(azurite), Queue(azurite, create=False)
    # Names as Azure takes them: a setting for the queue, AzureWebJobs<X> for the connection.
    write_function(
        root,
        "reader",
        READER,
        bindings=[trigger("%GIVEN%", connection="Here"), queue_out(results.name)],
    )
    settings = {
        "AzureWebJobsStorage": azurite.connection_string,
        "AzureWebJobsHere": azurite.connection_string,
        "GIVEN": given.name.upper(),
    }
    with LocalHost(root, settings, workers=request.param) as host:
        yield App(host, given, results)


def test_message_reaches_the_function_with_all_that_is_known_of_it(app: App) -> None:
    (id,) = app.given.put("hällo")
    (result,) = app.take()

    assert result["text"] == "hällo"
    assert (result["id"], result["tries"], result["receipt"]) == (id, 1, True)
    assert result["inserted"] < result["visible"] and result["expires"] > 2025
    wait_until(lambda: app.given.depth() == 0, "the message is deleted")
    app.host.wait_for_log(
        rf"\] Executing 'Functions\.reader' \(Reason='New queue message detected on "
        rf"'{app.given.name}'\.', Id=[-0-9a-f]{{36}}\)\n"
        rf"\[[^\]]+\] Trigger Details: MessageId: {id}, DequeueCount: 1, InsertionTime: 20\S+\n"
        rf"(.*\n)*?\[[^\]]+\] Executed 'Functions\.reader' \(Succeeded, "
    )
    app.host.wait_for_log(r"(?m)^\treader: queueTrigger$")


def test_function_that_fails_five_times_sends_its_message_to_the_poison_queue(app: App) -> None:
    app.given.put("bad")
    wait_until(lambda: app.given.poison.depth() == 1, "poison")

    assert app.given.poison.take() == ["bad"]
    assert app.host.log().count("Exception: ValueError: no good") == 5
    app.host.wait_for_log(
        r"Message has reached MaxDequeueCount of 5\. Moving message to queue "
        rf"'{app.given.name}-poison'\."
    )
    wait_until(lambda: app.given.depth() == 0, "the message is gone")


def test_message_that_is_not_base64_goes_to_the_poison_queue_and_the_reason_is_told(
    app: App,
) -> None:
    (id,) = app.given.put("https://example.com/cat.png", encode=False)
    wait_until(lambda: app.given.poison.depth() == 1, "poison")

    assert app.given.poison.visible() == ["https://example.com/cat.png"]
    app.host.wait_for_log(
        rf"Message {id} in queue '{app.given.name}' is not base64, which messageEncoding in "
        rf"host\.json asks for\. Moving message to queue '{app.given.name}-poison'\."
    )
