"""Queue triggers and outputs, with the real emulator and real worker processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests
from websockets.sync.client import connect

from tests.support.apps import RETURN, write_app, write_function
from tests.support.azurite import Queue, frozen, wait_until
from tests.support.servers import ROOT, LocalHost, free_port
from tools.azurite import Azurite

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")

# An outage has a length; longer than every function takes, so that all wait for the storage.
OUTAGE_SECONDS = 1.5
# A text of digits is how many milliseconds the function takes.
READER = """
    def main(msg: func.QueueMessage, out: func.Out[str], sig: func.Out[str]) -> None:
        text = msg.get_body().decode()
        if text == "bad":
            raise ValueError("no good")
        time.sleep(int(text) / 1000 if text.isdigit() else 0)
        sig.set(json.dumps({"target": "done", "arguments": [msg.id]}))
        out.set(json.dumps({
            "text": text,
            "id": msg.id,
            "tries": msg.dequeue_count,
            "inserted": str(msg.insertion_time),
            "visible": str(msg.time_next_visible),
            "expires": str(msg.expiration_time),
            "receipt": msg.pop_receipt,
            "process": os.getpid(),
        }))
"""
NOTE = """
    def main(req: func.HttpRequest, out: func.Out[str], sig: func.Out[str]) -> str:
        out.set(req.get_body().decode())
        if "sig" in req.params:
            sig.set(req.params["sig"])
        return "noted"
"""
TICKET = "def main(req: func.HttpRequest, info: str) -> str: return info"
HTTP = {"type": "httpTrigger", "direction": "in", "name": "req", "authLevel": "anonymous"}
SIGNALR = {"type": "signalR", "direction": "out", "name": "sig", "hubName": "Cats"}
INFO = {
    "type": "signalRConnectionInfo",
    "direction": "in",
    "name": "info",
    "hubName": "Cats",
    "userId": "{headers.x-user}",
}


def trigger(queue: str, connection: str = "AzureWebJobsStorage") -> dict[str, Any]:
    return {
        "type": "queueTrigger",
        "direction": "in",
        "name": "msg",
        "queueName": queue,
        "connection": connection,
    }


def queue_out(queue: str, connection: str = "AzureWebJobsStorage") -> dict[str, Any]:
    return {
        "type": "queue",
        "direction": "out",
        "name": "out",
        "queueName": queue,
        "connection": connection,
    }


@dataclass
class App:
    """One running app: what is put into ``given`` comes out of ``results`` as JSON."""

    host: LocalHost
    workers: int
    given: Queue
    results: Queue
    notes: Queue

    def take(self, count: int = 1) -> list[dict[str, Any]]:
        """Waits for so many results and takes them."""
        wait_until(lambda: self.results.depth() >= count, f"{count} results")
        return [json.loads(text) for text in self.results.take()]

    def post(self, path: str, text: str = "", **options: Any) -> requests.Response:
        return requests.post(self.host.url + path, data=text.encode(), timeout=20, **options)


def write_reader(root: Path, given: str, results: Queue, connection: str = "Storage") -> None:
    bindings = [trigger(given, connection), queue_out(results.name), SIGNALR]
    write_function(root, "reader", READER, bindings=bindings)


@pytest.fixture(scope="module", params=[1, 2], ids=["alone", "two workers"])
def app(
    request: pytest.FixtureRequest, azurite: Azurite, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[App]:
    root = write_app(tmp_path_factory.mktemp("app"))
    given = Queue(azurite)
    results, notes = Queue(azurite, create=False), Queue(azurite, create=False)
    # Names as Azure takes them: a setting for the queue, AzureWebJobs<X> for the connection.
    write_reader(root, "%GIVEN%", results, "Here")
    for name, out in (("note", queue_out(notes.name)), ("lost", queue_out("notes", "Gone"))):
        write_function(root, name, NOTE, bindings=[HTTP, RETURN, out, SIGNALR])
    write_function(root, "ticket", TICKET, bindings=[HTTP, RETURN, INFO])
    write_function(root, "unreadable", "", bindings=[trigger("%NO_SUCH%")])
    settings = {
        "AzureWebJobsStorage": azurite.connection_string,
        "AzureWebJobsHere": azurite.connection_string,
        "Gone": azurite.connection_string.replace(f":{azurite.port}", f":{free_port()}"),
        "GIVEN": given.name.upper(),
    }
    with LocalHost(root, settings, workers=request.param) as host:
        yield App(host, request.param, given, results, notes)


def test_message_reaches_the_function_with_all_that_is_known_of_it(app: App) -> None:
    (id,) = app.given.put("hällo")
    (result,) = app.take()

    assert result["text"] == "hällo"
    assert (result["id"], result["tries"]) == (id, 1) and result["receipt"]
    assert result["inserted"] < result["visible"] < result["expires"]
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
    failures = "Exception: ValueError: no good"
    wait_until(lambda: app.host.log().count(failures) >= 5, "the lines come a little late")
    assert app.host.log().count(failures) == 5
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
    app.given.poison.clear()
    app.host.wait_for_log(
        rf"Message {id} in queue '{app.given.name}' is not base64, which messageEncoding in "
        rf"host\.json asks for\. Moving message to queue '{app.given.name}-poison'\."
    )


def test_function_whose_queue_cannot_be_known_is_off_and_the_reason_told(app: App) -> None:
    app.host.wait_for_log(r"(?m)^\tunreadable: queueTrigger \(off\)$")
    app.host.wait_for_log(r"Function unreadable is off: .*%NO_SUCH% does not resolve to a value\.")


def test_queue_function_runs_by_hand(app: App) -> None:
    assert app.post("/admin/functions/reader", '{"input": "by hand"}').status_code == 202
    (result,) = app.take()

    assert (result["text"], result["id"], result["tries"]) == ("by hand", None, None)


def test_http_functions_outputs_are_written_before_it_answers(app: App) -> None:
    assert app.post("/api/note", "hello").text == "noted"
    assert app.notes.texts() == ["hello"]

    assert app.post("/api/note", '["one", {"two": 2}]').text == "noted"
    assert app.notes.take() == ["hello", "one", '{"two": 2}']


def test_output_that_cannot_be_written_fails_the_call(app: App) -> None:
    for path, reason in (
        ("/api/lost", r"Nothing could be put into queue 'notes' at \S+: connection refused"),
        ("/api/note?sig={}", "Unable to convert JObject to valid output binding type"),
    ):
        answer = app.post(path, "x")

        assert (answer.status_code, answer.content) == (500, b"")
        app.host.wait_for_log(reason)
    assert not app.notes.exists or app.notes.texts() == []


def test_connection_info_is_for_the_user_that_the_binding_names(app: App) -> None:
    emulator = app.host.wait_for_log(r"SignalR: an emulator at (\S+), because \w+ is empty")[1]
    tickets = [
        app.post("/api/ticket", headers=headers).json() for headers in ({"X-User": "me"}, {})
    ]
    claims = [
        jwt.decode(one["accessToken"], options={"verify_signature": False}) for one in tickets
    ]

    assert all(one["url"] == f"{emulator}/client/?hub=cats" for one in tickets)
    assert [one.get("asrs.s.uid") for one in claims] == ["me", None]


def test_a_browser_hears_of_every_message_whichever_worker_ran_it(app: App) -> None:
    ticket = app.post("/api/ticket").json()
    url = f"ws{ticket['url'].removeprefix('http')}&access_token={ticket['accessToken']}"
    with connect(url, compression=None, proxy=None) as browser:
        browser.send('{"protocol":"json","version":1}\x1e')
        assert browser.recv(10) == "{}\x1e"
        ids = app.given.put(*["20"] * 20)
        heard: list[str] = []
        while len(heard) < 20:
            for record in str(browser.recv(10)).split("\x1e"):
                if record and json.loads(record)["type"] == 1:
                    heard += json.loads(record)["arguments"]

    assert sorted(heard) == sorted(ids)
    assert len({result["process"] for result in app.take(20)}) == app.workers


@posix_only
def test_nothing_is_lost_or_run_twice_when_the_storage_freezes(app: App, azurite: Azurite) -> None:
    ids = app.given.put(*["50"] * 60)
    wait_until(lambda: app.results.depth() >= 5, "it is at work")
    with frozen(azurite):
        time.sleep(OUTAGE_SECONDS)
        assert app.post("/admin/host/ping").ok
    results = app.take(60)

    assert Counter(result["id"] for result in results) == Counter(ids)
    wait_until(lambda: app.given.depth() == 0, "all are deleted")
    assert not app.given.poison.depth()


@posix_only
@pytest.mark.parametrize("app", [2], indirect=True, ids=["two workers"])
def test_messages_of_a_worker_that_is_killed_are_run_by_others_at_once(app: App) -> None:
    ids = app.given.put(*["100"] * 60)
    wait_until(lambda: app.results.depth() >= 5, "it is at work")
    victim = json.loads(app.results.texts()[0])["process"]
    os.kill(victim, signal.SIGKILL)
    app.host.wait_for_log(
        rf"Worker [12] \(process {victim}\) ended: killed by SIGKILL\. Starting another\."
    )
    wait_until(lambda: app.given.depth() == 0, "all are done")
    results = app.take(60)

    assert {result["id"] for result in results} == set(ids)
    again = [result for result in results if result["tries"] == 2]
    assert again and all(result["process"] != victim for result in again)
    # Twice only what was done and not yet reported when the worker died.
    assert len(results) - len(ids) <= 2 * (os.cpu_count() or 1) + 8
    fresh = app.given.put(*["20"] * 20)
    others = {result["process"] for result in app.take(20)}
    assert fresh and len(others) == 2 and victim not in others


@posix_only
@pytest.mark.parametrize("workers", [1, 2])
def test_stop_lets_short_work_end_and_gives_the_rest_back(
    azurite: Azurite, tmp_path: Path, workers: int
) -> None:
    given, results = Queue(azurite), Queue(azurite, create=False)
    write_reader(write_app(tmp_path), given.name, results)
    with LocalHost(
        tmp_path, {"AzureWebJobsStorage": azurite.connection_string}, workers=workers
    ) as host:
        given.put("600", "300000")
        wait_until(lambda: host.log().count("Executing 'Functions.reader'") == 2, "both run")
        start = time.monotonic()

        assert host.stop() == 0
        assert time.monotonic() - start < 9
        assert "Gave 1 message back to its queue" in host.log()
        assert "Traceback" not in host.log()
    assert [json.loads(text)["text"] for text in results.take()] == ["600"]
    assert given.texts() == ["300000"]


def test_host_outlives_its_storage_and_finds_it_again(azurite: Azurite, tmp_path: Path) -> None:
    del azurite  # only so that the test is skipped where there is no emulator
    storage = Azurite(folder=tmp_path / "kept")
    given, results = Queue(storage, create=False), Queue(storage, create=False)
    write_reader(write_app(tmp_path), given.name, results)
    with LocalHost(tmp_path, {"AzureWebJobsStorage": storage.connection_string}) as host:
        host.wait_for_log(
            rf"Function reader is off: the storage at {storage.endpoint} \(AzureWebJobsStorage\) "
            r"cannot be reached: connection refused\. `python -m tools\.azurite` starts the "
        )
        with storage:
            host.wait_for_log("Function reader is on: the storage at .* answers")
            given.create()
            # As many as the host holds at once. A fetch whose answer the emulator took with it
            # would stay hidden for ten minutes, so it stops when nothing is left to fetch.
            ids = given.put(*["300"] * 30)
            wait_until(lambda: not given.visible(), "it is at work on all of them")
        host.wait_for_log("Lost the storage at ")
        assert requests.get(host.url + "/admin/host/ping", timeout=20).ok
        with storage:
            host.wait_for_log("Found the storage at .* again")
            wait_until(lambda: given.depth() == 0, "all are done")
            found = [json.loads(text)["id"] for text in results.take()]
            assert host.stop() == 0
        assert set(found) == set(ids)
        assert host.log().count("Lost the storage") == host.log().count("Found the storage") == 1


def test_the_apps_own_queue_is_off_and_the_host_says_how_to_turn_it_on(host: LocalHost) -> None:
    host.wait_for_log(r"(?m)^\tclassify_queue: queueTrigger \(off\)$")
    host.wait_for_log(
        r"Function classify_queue is disabled\. "
        r"AzureWebJobs\.classify_queue\.Disabled=false turns it on\."
    )


def test_what_only_queues_need_is_not_imported_at_the_start() -> None:
    program = "import sys, local_host.__main__; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)

    loaded = set(done.stdout.split())
    assert "local_host.processes.shared_services" in loaded
    assert not loaded & {"aiohttp", "azure.storage", "jwt", "websockets", "azure.core"}
