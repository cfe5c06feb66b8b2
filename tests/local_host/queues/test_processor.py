"""The outcome of one message: done, tried again, released, moved to the poison queue or kept."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from local_host.configuration.queue_settings import QueueSettings
from local_host.console import Console
from local_host.queues.lease import Lease
from local_host.queues.message import QueueCall, WorkerGone
from local_host.queues.processor import Outcome, QueueProcessor
from local_host.queues.queue_target import QueueTarget
from local_host.queues.storage_client import StorageError, StorageUnavailable
from tests.support.memory_queues import ACCOUNT, MemoryQueues
from tests.support.virtual_time import run_in_virtual_time

HIDDEN_SECONDS = 600
POISON = "given-poison"
SETTINGS = QueueSettings(visibility_timeout_seconds=30, max_dequeue_count=3)


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@dataclass
class Function:
    """The function that the processor calls; it does what a test says."""

    result: bool | Exception = True
    calls: int = 0
    during: Callable[[], None] = lambda: None

    async def ready(self) -> None:
        """Always."""

    async def call_function(self, call: QueueCall) -> bool:
        self.calls += 1
        self.during()
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


@dataclass
class Case:
    """One message in its queue, and the processor for it."""

    storage: MemoryQueues
    lease: Lease
    processor: QueueProcessor
    queue: str

    async def process(self) -> Outcome:
        """Processes the message and settles it."""
        outcome = await self.processor.process(self.lease)
        await self.processor.settle(self.lease, outcome)
        return outcome


def run_case(
    scenario: Callable[[Case], Awaitable[None]],
    function: Function,
    *,
    queue: str = "given",
    text: str | None = None,
    deliveries: int = 1,
    settings: QueueSettings = SETTINGS,
) -> str:
    """Runs a scenario with a message that was fetched so often; returns the console's lines."""
    lines: list[str] = []

    async def run() -> None:
        console = Console(lines.append)
        storage = MemoryQueues()
        await storage.create(queue)
        await storage.put(queue, encoded("hello") if text is None else text)
        for _ in range(deliveries - 1):
            storage.deliver(queue, 1, 0)
        (message,) = await storage.get(queue, 1, HIDDEN_SECONDS)
        lease = Lease(storage, queue, message, HIDDEN_SECONDS)
        target = QueueTarget(queue, ACCOUNT)
        processor = QueueProcessor("f", target, settings, storage, function, console)
        await scenario(Case(storage, lease, processor, queue))
        console.close()

    run_in_virtual_time(run)
    return "".join(lines)


def test_message_of_a_function_that_succeeds_is_deleted() -> None:
    function = Function()

    async def scenario(case: Case) -> None:
        assert await case.process() is Outcome.DONE
        assert case.storage.texts("given") == [] and POISON not in case.storage.queues

    assert run_case(scenario, function) == "" and function.calls == 1


@pytest.mark.parametrize("deliveries", [1, 2])
def test_message_of_a_function_that_fails_is_seen_again_after_the_timeout(deliveries: int) -> None:
    async def scenario(case: Case) -> None:
        assert await case.process() is Outcome.RETRY
        await asyncio.sleep(29)
        assert case.storage.visible("given") == []
        await asyncio.sleep(2)
        assert case.storage.visible("given") == [encoded("hello")]
        assert POISON not in case.storage.queues

    assert run_case(scenario, Function(False), deliveries=deliveries) == ""


def test_last_try_that_fails_moves_the_message_to_the_poison_queue() -> None:
    function = Function(False)

    async def scenario(case: Case) -> None:
        assert await case.process() is Outcome.POISON
        assert case.storage.texts("given") == []
        assert case.storage.texts(POISON) == [encoded("hello")]

    lines = run_case(scenario, function, deliveries=3)
    assert function.calls == 1
    assert (
        "Message has reached MaxDequeueCount of 3. Moving message to queue 'given-poison'" in lines
    )


def test_message_that_was_tried_too_often_is_moved_without_another_try() -> None:
    function = Function()

    async def scenario(case: Case) -> None:
        assert await case.process() is Outcome.POISON
        assert case.storage.texts(POISON) == [encoded("hello")]
        assert case.storage.texts("given") == []

    run_case(scenario, function, deliveries=4)
    assert function.calls == 0


def test_last_try_is_made() -> None:
    function = Function()

    async def scenario(case: Case) -> None:
        assert await case.process() is Outcome.DONE

    run_case(scenario, function, deliveries=3)
    assert function.calls == 1


def test_tries_are_counted_as_of_the_end_of_the_function() -> None:
    """The service delivered the message again while the function ran."""
    function = Function(False)

    async def scenario(case: Case) -> None:
        def deliver_again() -> None:
            case.storage.queues["given"][case.lease.message.id].visible_at = 0
            (message,) = case.storage.deliver("given", 1, HIDDEN_SECONDS)
            case.lease.adopt(message)

        function.during = deliver_again
        assert await case.process() is Outcome.POISON
        assert case.storage.texts("given") == []

    run_case(scenario, function, deliveries=2)


def test_message_of_a_worker_that_died_is_seen_at_once_even_at_its_last_try() -> None:
    async def scenario(case: Case) -> None:
        assert await case.process() is Outcome.RELEASE
        assert case.storage.visible("given") == [encoded("hello")]

    assert run_case(scenario, Function(WorkerGone()), deliveries=3) == ""


def test_message_of_a_poison_queue_whose_function_fails_stays_hidden_and_is_kept() -> None:
    async def scenario(case: Case) -> None:
        assert await case.process() is Outcome.KEEP_HIDDEN
        await asyncio.sleep(HIDDEN_SECONDS - 5)
        assert case.storage.visible(POISON) == []
        assert case.storage.texts(POISON) == [encoded("hello")]
        assert set(case.storage.queues) == {POISON}

    run_case(scenario, Function(False), queue=POISON)


def test_message_of_a_poison_queue_is_tried_however_often_it_was_tried() -> None:
    function = Function()

    async def scenario(case: Case) -> None:
        assert await case.process() is Outcome.DONE

    assert run_case(scenario, function, queue=POISON, deliveries=9) == ""
    assert function.calls == 1


def test_message_of_a_poison_queue_that_is_not_base64_is_kept_there() -> None:
    function = Function()

    async def scenario(case: Case) -> None:
        assert await case.process() is Outcome.KEEP_HIDDEN
        assert case.storage.texts(POISON) == ["no base64!"]
        assert case.storage.visible(POISON) == [] and set(case.storage.queues) == {POISON}

    lines = run_case(scenario, function, queue=POISON, text="no base64!")
    assert "is not base64" in lines and "It stays hidden for a while." in lines
    assert "Moving message" not in lines and function.calls == 0


def test_message_that_is_not_base64_moves_to_the_poison_queue_as_it_is() -> None:
    function = Function()

    async def scenario(case: Case) -> None:
        assert await case.process() is Outcome.POISON
        assert case.storage.texts("given") == []
        assert case.storage.texts(POISON) == ["no base64!"]

    lines = run_case(scenario, function, text="no base64!")
    assert "Moving message to queue 'given-poison'" in lines and function.calls == 0


def test_copy_to_the_poison_queue_is_tried_until_the_service_is_back() -> None:
    async def scenario(case: Case) -> None:
        case.storage.failures["put"] = [StorageUnavailable("away")] * 6
        assert await case.process() is Outcome.POISON
        times = [time for name, time in case.storage.operations if name == "put"][1:]
        pauses = [after - before for before, after in zip(times, times[1:], strict=False)]
        assert pauses[:6] == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 2.0], abs=0.01)
        assert case.storage.texts(POISON) == [encoded("hello")]
        assert case.storage.texts("given") == []

    run_case(scenario, Function(False), deliveries=3)


def test_message_that_the_poison_queue_rejects_stays_in_its_own_queue() -> None:
    async def scenario(case: Case) -> None:
        case.storage.failures["put"] = [StorageError(403, "AuthorizationFailure", "put")]
        with pytest.raises(StorageError):
            await case.process()
        assert case.storage.texts("given") == [encoded("hello")]
        assert case.storage.count("delete") == 0

    run_case(scenario, Function(False), deliveries=3)
