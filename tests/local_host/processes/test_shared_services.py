"""The services of all workers: which queues they read, what they write, how they end."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from local_host.bindings.outputs import OutputFailed, QueueWrite, SignalRWrite
from local_host.bindings.targets import BindingTargets, HubTarget
from local_host.configuration.host_json import HostFile
from local_host.configuration.local_settings import Cors
from local_host.console import Console
from local_host.functions.function_table import FunctionTable
from local_host.host_config import HostConfig
from local_host.processes.shared_services import Services
from local_host.queues.message import QueueCall
from local_host.queues.queue_target import QueueTarget
from local_host.queues.storage_client import StorageUnavailable
from local_host.signalr.endpoint import SignalREndpoint
from local_host.signalr.hubs import Hubs
from local_host.signalr.messages import SignalRError
from tests.support.memory_queues import ACCOUNT, MemoryQueues
from tests.support.virtual_time import until

SECONDS = 20
FIRST, SECOND, OUT = (QueueTarget(name, ACCOUNT) for name in ("first", "second", "out"))
SERVICE = SignalREndpoint("https://one.service.signalr.net", "k" * 44)


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


class Functions:
    """Calls nothing: keeps each call, which ends when the test lets it."""

    def __init__(self) -> None:
        self.calls: list[QueueCall] = []
        self.gate = asyncio.Event()

    async def ready(self) -> None:
        """Always."""

    async def call_function(self, call: QueueCall) -> bool:
        self.calls.append(call)
        await self.gate.wait()
        return True


class Fixture:
    """Services over queues in memory."""

    def __init__(self, storage: MemoryQueues) -> None:
        self.storage = storage
        self.functions = Functions()
        self.lines: list[str] = []
        self.console = Console(self.lines.append)
        readers = {"one": FIRST, "two": SECOND}
        config = HostConfig(
            root=Path(),
            address="127.0.0.1",
            port=1,
            workers=1,
            body_limit=1,
            threads=None,
            colour=False,
            host_file=HostFile(),
            cors=Cors(),
            table=FunctionTable(),
            targets=BindingTargets(readers=readers),
            environment="Production",
            hubs=Hubs({"S": SERVICE}),
        )
        self.services = Services(config, self.console)

    @property
    def text(self) -> str:
        self.console.close()
        return "".join(self.lines)


Scenario = Callable[[Fixture], Coroutine[Any, Any, None]]
Run = Callable[[Scenario], Fixture]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a scenario; the services are not closed at its end."""

    def run(scenario: Scenario) -> Fixture:
        async def limited() -> Fixture:
            storage = MemoryQueues()
            made: list[Any] = []

            def make(account: Any, monitor: Any) -> MemoryQueues:
                made.append(account)
                return storage

            monkeypatch.setattr("local_host.queues.storage_client.StorageQueues", make)
            fixture = Fixture(storage)
            for queue in ("first", "second"):
                await storage.create(queue)
            async with asyncio.timeout(SECONDS):
                await scenario(fixture)
            assert made in ([], [ACCOUNT]), "one connection for each account"
            return fixture

        return asyncio.run(limited())

    return run


def test_queues_of_functions_that_loaded_are_read_and_those_of_broken_ones_are_not(
    run: Run,
) -> None:
    async def scenario(fixture: Fixture) -> None:
        await fixture.storage.put("first", encoded("a"))
        await fixture.storage.put("second", encoded("b"))
        fixture.functions.gate.set()
        fixture.services.start(fixture.functions, {"two": "broken"})
        await until(lambda: fixture.storage.texts("first") == [], SECONDS)
        fixture.services.stop_polling()
        await fixture.services.drain(1)
        await fixture.services.close()
        assert [call.body for call in fixture.functions.calls] == ["a"]
        assert fixture.storage.visible("second") == [encoded("b")]

    assert run(scenario).text == ""


def test_nothing_is_read_when_the_host_stops_before_the_imports_are_done(run: Run) -> None:
    async def scenario(fixture: Fixture) -> None:
        await fixture.storage.put("first", encoded("a"))
        fixture.services.start(fixture.functions, {})
        fixture.services.stop_polling()
        await fixture.services.drain(1)
        await fixture.services.close()
        for _ in range(20):  # as many turns of the loop as a listener's first look would take
            await asyncio.sleep(0)
        assert fixture.storage.count("get") == 0

    run(scenario)


def test_message_for_a_queue_that_is_read_here_is_read_at_once(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Longer than the test waits, so that nothing but the new message wakes a listener.
    monkeypatch.setattr("local_host.queues.backoff.SHORTEST_POLLING_SECONDS", 2.0 * SECONDS)

    async def scenario(fixture: Fixture) -> None:
        fixture.functions.gate.set()
        fixture.services.start(fixture.functions, {})
        await until(lambda: fixture.storage.count("get") == 2, SECONDS)
        await fixture.services.write([QueueWrite(SECOND, encoded("new"))])
        await until(lambda: len(fixture.functions.calls) == 1, SECONDS)
        assert fixture.functions.calls[0].queue == "second"
        # That one was read until it was empty, the other was not looked into.
        await until(lambda: fixture.storage.count("get") == 4, SECONDS)
        fixture.services.stop_polling()
        await fixture.services.drain(1)
        await fixture.services.close()
        assert fixture.storage.count("get") == 4

    run(scenario)


def test_no_queue_is_looked_into_after_the_stop_and_its_storage_is_closed(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("local_host.queues.backoff.SHORTEST_POLLING_SECONDS", 2.0 * SECONDS)

    async def scenario(fixture: Fixture) -> None:
        fixture.services.start(fixture.functions, {})
        await until(lambda: fixture.storage.count("get") == 2, SECONDS)
        fixture.services.stop_polling()
        # Each would wake its listener.
        await fixture.services.write([QueueWrite(FIRST, "a"), QueueWrite(SECOND, "b")])
        for _ in range(20):
            await asyncio.sleep(0)
        assert fixture.storage.count("get") == 2
        assert fixture.storage.count("close") == 0
        await fixture.services.drain(1)
        await fixture.services.close()
        assert fixture.storage.count("close") == 1

    run(scenario)


def test_writes_are_performed_in_order_and_the_first_failure_ends_them(run: Run) -> None:
    async def scenario(fixture: Fixture) -> None:
        await fixture.services.write([QueueWrite(OUT, "a"), QueueWrite(OUT, "b")])
        assert fixture.storage.texts("out") == ["a", "b"]
        writes = [QueueWrite(OUT, "c"), QueueWrite(OUT, "d"), QueueWrite(OUT, "e")]
        original = fixture.storage.put

        async def put(queue: str, text: str) -> None:
            if text == "d":
                raise StorageUnavailable("connection refused")
            await original(queue, text)

        fixture.storage.put = put  # type: ignore[method-assign]
        with pytest.raises(OutputFailed) as failure:
            await fixture.services.write(writes)
        assert str(failure.value) == (
            f"Nothing could be put into queue 'out' at {ACCOUNT.endpoint}: connection refused"
        )
        assert fixture.storage.texts("out") == ["a", "b", "c"]

    run(scenario)


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (1, "Gave 1 message back to its queue: it had not ended."),
        (3, "Gave 3 messages back to their queues: they had not ended."),
    ],
)
def test_close_releases_what_has_not_ended_and_says_so(run: Run, count: int, words: str) -> None:
    async def scenario(fixture: Fixture) -> None:
        for number in range(count):
            await fixture.storage.put(("first", "second")[number % 2], encoded(str(number)))
        fixture.services.start(fixture.functions, {})
        await until(lambda: len(fixture.functions.calls) == count, SECONDS)
        fixture.services.stop_polling()
        await fixture.services.drain(0.01)
        await fixture.services.close()
        storage = fixture.storage
        assert len(storage.visible("first")) + len(storage.visible("second")) == count

    assert words in run(scenario).text


def test_drain_lets_running_messages_end(run: Run) -> None:
    async def scenario(fixture: Fixture) -> None:
        await fixture.storage.put("first", encoded("a"))
        fixture.services.start(fixture.functions, {})
        await until(lambda: len(fixture.functions.calls) == 1, SECONDS)
        fixture.services.stop_polling()
        draining = asyncio.create_task(fixture.services.drain(SECONDS))
        await asyncio.sleep(0)
        fixture.functions.gate.set()
        await draining
        await fixture.services.close()
        assert fixture.storage.texts("first") == []

    assert run(scenario).text == ""


def test_signalr_message_goes_to_the_service_of_its_setting_and_its_error_fails_the_call(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[SignalREndpoint, str, Any]] = []
    made: list[SignalREndpoint] = []
    closed: list[SignalREndpoint] = []

    class Sender:
        def __init__(self, endpoint: SignalREndpoint) -> None:
            self._endpoint = endpoint
            made.append(endpoint)

        async def send(self, hub: str, message: Any) -> None:
            if message == {"bad": 1}:
                raise SignalRError("the quota is used up")
            sent.append((self._endpoint, hub, message))

        async def close(self) -> None:
            closed.append(self._endpoint)

    monkeypatch.setattr("local_host.signalr.senders.AzureSignalRService", Sender)

    async def scenario(fixture: Fixture) -> None:
        target = HubTarget("cats", "S")
        await fixture.services.write([SignalRWrite(target, {"good": 1})])
        with pytest.raises(OutputFailed, match="the quota is used up"):
            await fixture.services.write([SignalRWrite(target, {"bad": 1})])
        await fixture.services.close()

    run(scenario)
    assert sent == [(SERVICE, "cats", {"good": 1})]
    assert made == closed == [SERVICE], "one connection for each service"
