"""A queue listener alone, in this process, against the real emulator."""

from __future__ import annotations

import asyncio
import base64
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from azure.storage.queue import (
    AccountSasPermissions,
    QueueClient,
    ResourceTypes,
    generate_account_sas,
)

from local_host.configuration.queue_settings import QueueSettings
from local_host.console import Console
from local_host.queues.listener import QueueListener
from local_host.queues.message import QueueCall, RawMessage, WorkerGone
from local_host.queues.queue_target import QueueTarget
from local_host.queues.storage_account import StorageAccount
from local_host.queues.storage_client import StorageQueues, StorageUnavailable
from local_host.queues.storage_monitor import StorageMonitor
from tests.support.azurite import Queue, frozen
from tools.azurite import Azurite
from tools.bootstrap.azurite_emulator import ACCOUNT, KEY

Behaviour = Callable[[QueueCall], Awaitable[bool]]
DEFAULTS = QueueSettings()

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")


class Recorder:
    """Stands where worker processes stand: runs each call as the test says, and keeps count."""

    def __init__(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour
        self.calls: list[QueueCall] = []
        self.at_once: dict[str, int] = {}
        self.most_of_one = 0
        self.most = 0

    async def ready(self) -> None:
        pass

    async def call_function(self, call: QueueCall) -> bool:
        self.calls.append(call)
        id = call.message.id
        self.at_once[id] = self.at_once.get(id, 0) + 1
        self.most_of_one = max(self.most_of_one, self.at_once[id])
        self.most = max(self.most, sum(self.at_once.values()))
        try:
            return await self._behaviour(call)
        finally:
            self.at_once[id] -= 1


class CountingQueues(StorageQueues):
    """The queues, and how often they were looked into and messages kept hidden.

    Attributes:
        gets: fetches that were answered or refused.
        hides: renewals and releases that were answered.
        delivered: messages that fetches brought, also those that came before.
    """

    gets = hides = delivered = 0

    async def get(self, queue: str, count: int, hidden_seconds: int) -> list[RawMessage]:
        try:
            messages = await super().get(queue, count, hidden_seconds)
        finally:
            self.gets += 1
        self.delivered += len(messages)
        return messages

    async def hide(self, queue: str, id: str, pop_receipt: str, seconds: int) -> str:
        receipt = await super().hide(queue, id, pop_receipt, seconds)
        self.hides += 1
        return receipt


class Bench:
    """A listener on a queue of its own, and the console's lines."""

    def __init__(
        self, queue: Queue, storage: CountingQueues, lines: list[str], reasons: list[str]
    ) -> None:
        self.queue = queue
        self.storage = storage
        self.lines = lines
        self._reasons = reasons

    @property
    def failures(self) -> int:
        """How many requests got no answer in time."""
        return len(self._reasons)

    async def look_again(self, times: int = 3) -> None:
        """Waits until the listener has looked into its queue so many times more."""
        goal = self.storage.gets + times
        await until(lambda: self.storage.gets >= goal, f"{times} more looks")

    @property
    def text(self) -> str:
        return "".join(self.lines)


@asynccontextmanager
async def listening(
    azurite: Azurite,
    caller: Recorder,
    settings: QueueSettings = DEFAULTS,
    *,
    hidden_seconds: int = 600,
    queue: Queue | None = None,
    connection_string: str | None = None,
    service: type[CountingQueues] = CountingQueues,
) -> AsyncIterator[Bench]:
    queue = queue or Queue(azurite)
    lines: list[str] = []
    console = Console(lines.append)
    account = StorageAccount.parse(connection_string or azurite.connection_string, "S")
    monitor = StorageMonitor(account, ["f"], console)
    failures: list[str] = []

    def on_outcome(reason: str | None) -> None:
        if reason is not None:
            failures.append(reason)
        monitor(reason)

    storage = service(account, on_outcome)
    listener = QueueListener(
        "f",
        QueueTarget(queue.name, account),
        settings,
        storage,
        caller,
        console,
        polling_seconds=0.1,
        hidden_seconds=hidden_seconds,
    )
    listener.start()
    try:
        yield Bench(queue, storage, lines, failures)
    finally:
        listener.stop_polling()
        await listener.drain(5)
        await listener.release(5)
        await storage.close()
        console.close()


async def until(is_so: Callable[[], bool], what: str, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not await asyncio.to_thread(is_so):
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        await asyncio.sleep(0.02)


async def succeed(call: QueueCall) -> bool:
    return True


async def fail(call: QueueCall) -> bool:
    return False


def test_at_most_batch_and_threshold_run_at_once(azurite: Azurite) -> None:
    async def scenario() -> None:
        full = asyncio.Event()

        async def wait_for_a_full_house(call: QueueCall) -> bool:
            await full.wait()
            return True

        caller = Recorder(wait_for_a_full_house)
        settings = QueueSettings(batch_size=4, new_batch_threshold=2)
        async with listening(azurite, caller, settings) as bench:
            await asyncio.to_thread(bench.queue.put, *map(str, range(40)))
            await until(lambda: caller.most >= 4, "a batch runs")
            full.set()
            await until(lambda: bench.queue.depth() == 0, "all are done")

        assert sorted(int(call.body) for call in caller.calls) == list(range(40))
        assert settings.parallel == 6 and 4 <= caller.most <= 6

    asyncio.run(scenario())


def test_batch_of_one_and_threshold_of_zero_is_one_at_a_time(azurite: Azurite) -> None:
    async def scenario() -> None:
        caller = Recorder(succeed)
        settings = QueueSettings(batch_size=1, new_batch_threshold=0)
        async with listening(azurite, caller, settings) as bench:
            await asyncio.to_thread(bench.queue.put, "a", "b", "c")
            await until(lambda: bench.queue.depth() == 0, "all are done")

        assert len(caller.calls) == 3 and caller.most == 1

    asyncio.run(scenario())


def test_message_stays_hidden_for_as_long_as_its_function_runs(azurite: Azurite) -> None:
    """More than twice as long as it was hidden for at first."""

    async def scenario() -> None:
        renewed = asyncio.Event()

        async def run_until_renewed(call: QueueCall) -> bool:
            await renewed.wait()
            return True

        caller = Recorder(run_until_renewed)
        async with listening(azurite, caller, hidden_seconds=2) as bench:
            await asyncio.to_thread(bench.queue.put, "long")
            await until(lambda: len(caller.calls) == 1, "it runs")
            seen = []
            start = time.monotonic()
            while bench.storage.hides < 4:  # each when half of the two seconds are over
                seen += await asyncio.to_thread(bench.queue.visible)
                assert time.monotonic() - start < 20, "it is not renewed"
            assert time.monotonic() - start > 3.5
            renewed.set()
            await until(lambda: bench.queue.depth() == 0, "it is deleted")

        assert seen == [] and len(caller.calls) == 1

    asyncio.run(scenario())


def test_failed_message_waits_for_visibility_timeout_and_then_goes_to_poison(
    azurite: Azurite,
) -> None:
    async def scenario() -> None:
        caller = Recorder(fail)
        settings = QueueSettings(visibility_timeout_seconds=1, max_dequeue_count=2)
        async with listening(azurite, caller, settings) as bench:
            await asyncio.to_thread(bench.queue.put, "bad")
            await until(lambda: len(caller.calls) == 1, "the first try")
            first = time.monotonic()
            await until(lambda: bench.queue.poison.depth() == 1, "poison")

            assert time.monotonic() - first > 0.8
            assert [call.message.dequeue_count for call in caller.calls] == [1, 2]
            assert bench.queue.poison.texts() == ["bad"]
            await until(lambda: bench.queue.depth() == 0, "it is gone")
        assert "Message has reached MaxDequeueCount of 2." in bench.text

    asyncio.run(scenario())


def test_message_that_was_tried_too_often_elsewhere_is_not_run_at_all(azurite: Azurite) -> None:
    async def scenario() -> None:
        caller = Recorder(succeed)
        queue = Queue(azurite)
        queue.put("killer")
        with QueueClient.from_connection_string(azurite.connection_string, queue.name) as client:
            for _ in range(2):  # fetched by workers that died
                message = next(iter(client.receive_messages(visibility_timeout=600)))
                client.update_message(message, visibility_timeout=0)
        settings = QueueSettings(max_dequeue_count=2)
        async with listening(azurite, caller, settings, queue=queue) as bench:
            await until(lambda: queue.poison.depth() == 1, "poison")
        assert caller.calls == [] and "MaxDequeueCount of 2" in bench.text

    asyncio.run(scenario())


def test_message_of_a_poison_queue_that_fails_stays_hidden(azurite: Azurite) -> None:
    async def scenario() -> None:
        caller = Recorder(fail)
        queue = Queue(azurite, Queue(azurite, create=False).poison.name)
        async with listening(azurite, caller, queue=queue) as bench:
            await asyncio.to_thread(queue.put, "bad", "worse")
            await until(lambda: len(caller.calls) == 2, "both have run")
            await bench.look_again()
            assert await asyncio.to_thread(queue.visible) == []
        assert len(caller.calls) == 2 and queue.depth() == 2

    asyncio.run(scenario())


def test_plain_text_is_read_when_the_encoding_is_none(azurite: Azurite) -> None:
    async def scenario() -> None:
        caller = Recorder(succeed)
        async with listening(azurite, caller, QueueSettings(is_base64=False)) as bench:
            await asyncio.to_thread(bench.queue.put, "a <&> ä", encode=False)
            await until(lambda: bench.queue.depth() == 0, "it is done")
        assert [call.body for call in caller.calls] == ["a <&> ä"]

    asyncio.run(scenario())


def test_bytes_that_are_not_utf_8_arrive_as_bytes(azurite: Azurite) -> None:
    async def scenario() -> None:
        caller = Recorder(succeed)
        text = base64.b64encode(b"\xff\x00").decode()
        async with listening(azurite, caller) as bench:
            await asyncio.to_thread(bench.queue.put, text, encode=False)
            await until(lambda: bench.queue.depth() == 0, "it is done")
        assert [call.body for call in caller.calls] == [b"\xff\x00"]

    asyncio.run(scenario())


def test_message_of_a_worker_that_died_is_seen_again_at_once(azurite: Azurite) -> None:
    async def die_once(call: QueueCall) -> bool:
        if call.message.dequeue_count == 1:
            raise WorkerGone
        return True

    async def scenario() -> None:
        caller = Recorder(die_once)
        settings = QueueSettings(visibility_timeout_seconds=600)
        async with listening(azurite, caller, settings) as bench:
            await asyncio.to_thread(bench.queue.put, "again")
            await until(lambda: bench.queue.depth() == 0, "it is done", 5)
        assert [call.message.dequeue_count for call in caller.calls] == [1, 2]

    asyncio.run(scenario())


def test_message_that_is_handed_out_twice_runs_once_and_is_deleted(azurite: Azurite) -> None:
    """Its time ran out, because nothing could be renewed, while its function still ran."""

    class CutOff(CountingQueues):
        """What a bad network does: renewals do not get through."""

        async def hide(self, queue: str, id: str, pop_receipt: str, seconds: int) -> str:
            raise StorageUnavailable("cut off")

    async def scenario() -> None:
        delivered_again = asyncio.Event()

        async def run_until_then(call: QueueCall) -> bool:
            await delivered_again.wait()
            return True

        caller = Recorder(run_until_then)
        async with listening(azurite, caller, hidden_seconds=1, service=CutOff) as bench:
            await asyncio.to_thread(bench.queue.put, "twice")
            await until(lambda: bench.storage.delivered == 3, "it was handed out twice more")
            delivered_again.set()
            await until(lambda: bench.queue.depth() == 0, "it is deleted")
            assert not bench.queue.poison.exists
        assert len(caller.calls) == 1 and caller.most_of_one == 1

    asyncio.run(scenario())


def test_messages_that_have_not_ended_are_given_back_when_it_stops(azurite: Azurite) -> None:
    async def hang(call: QueueCall) -> bool:
        await asyncio.Event().wait()
        return True

    async def scenario() -> None:
        caller = Recorder(hang)
        queue = Queue(azurite)
        queue.put("a", "b", "c")
        account = StorageAccount.parse(azurite.connection_string, "S")
        storage, console = StorageQueues(account), Console(lambda text: None)
        target = QueueTarget(queue.name, account)
        listener = QueueListener(
            "f", target, QueueSettings(), storage, caller, console, polling_seconds=0.1
        )
        listener.start()
        await until(lambda: len(caller.calls) == 3, "all run")
        assert queue.visible() == []
        listener.stop_polling()
        await listener.drain(0.1)

        assert await listener.release(5) == 3
        assert sorted(queue.texts()) == ["a", "b", "c"]
        await storage.close()
        console.close()

    asyncio.run(scenario())


def test_queue_that_does_not_exist_yet_is_told_once_and_read_when_it_does(
    azurite: Azurite,
) -> None:
    async def scenario() -> None:
        caller = Recorder(succeed)
        queue = Queue(azurite, create=False)
        async with listening(azurite, caller, queue=queue) as bench:
            await until(lambda: "does not exist yet" in bench.text, "it is told")
            await bench.look_again()
            assert not queue.exists
            queue.create()
            await asyncio.to_thread(queue.put, "first")
            await until(lambda: len(caller.calls) == 1, "it is read")
        assert bench.text.count("does not exist yet") == 1
        assert f"Function f is on: it reads queue '{queue.name}'." in bench.text

    asyncio.run(scenario())


def test_shared_access_signature_is_enough(azurite: Azurite) -> None:
    sas = generate_account_sas(
        account_name=ACCOUNT,
        account_key=KEY,
        resource_types=ResourceTypes(service=True, container=True, object=True),
        permission=AccountSasPermissions(
            read=True, write=True, delete=True, list=True, add=True, update=True, process=True
        ),
        expiry=datetime.now(UTC) + timedelta(hours=1),
        start=datetime.now(UTC) - timedelta(hours=1),
    )
    text = f"QueueEndpoint={azurite.endpoint};SharedAccessSignature={sas}"

    async def scenario() -> None:
        caller = Recorder(fail)
        settings = QueueSettings(max_dequeue_count=2)
        async with listening(azurite, caller, settings, connection_string=text) as bench:
            await asyncio.to_thread(bench.queue.put, "bad")
            await until(lambda: bench.queue.poison.depth() == 1, "poison")
            await until(lambda: bench.queue.depth() == 0, "it is gone")
        assert len(caller.calls) == 2

    asyncio.run(scenario())


def test_wrong_key_turns_the_function_off_with_the_setting_to_look_at(azurite: Azurite) -> None:
    text = azurite.connection_string.replace(KEY, "d3Jvbmc=")

    async def scenario() -> None:
        async with listening(azurite, Recorder(succeed), connection_string=text) as bench:
            await until(lambda: "Function f is off" in bench.text, "it is told")
            await bench.look_again()
        assert bench.text.count("Function f is off") == 1
        assert "(403 " in bench.text and "Is S right?" in bench.text

    asyncio.run(scenario())


@posix_only
def test_storage_that_does_not_answer_is_told_once_and_so_is_its_return(
    azurite: Azurite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("local_host.queues.storage_client.SLOW_SECONDS", 0.2)

    async def scenario() -> None:
        gate = asyncio.Event()

        async def run_until_frozen(call: QueueCall) -> bool:
            await gate.wait()
            return True

        caller = Recorder(run_until_frozen)
        async with listening(azurite, caller) as bench:
            await asyncio.to_thread(bench.queue.put, *map(str, range(8)))
            await until(lambda: len(caller.calls) == 8, "all run")
            with frozen(azurite):
                gate.set()
                await until(lambda: "Lost the storage" in bench.text, "it is told")
                await until(lambda: bench.failures >= 8, "all deletions are slow")
            await until(lambda: bench.queue.depth() == 0, "all are deleted")
            await until(lambda: "Found the storage" in bench.text, "it is told")
        assert bench.text.count("it has not answered for 0.2 s") == 1
        assert bench.text.count("Found the storage") == 1 and len(caller.calls) == 8

    asyncio.run(scenario())
