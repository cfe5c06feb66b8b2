"""One message that the host holds: renewed, released and deleted, whatever the service does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from local_host.queues.lease import Lease
from local_host.queues.storage_client import StorageError, StorageUnavailable
from tests.support.memory_queues import MemoryQueues
from tests.support.virtual_time import run_in_virtual_time

HIDDEN_SECONDS = 100
QUEUE = "given"

Scenario = Callable[[MemoryQueues, Lease], Awaitable[None]]


def run_with_lease(scenario: Scenario) -> None:
    """Runs a scenario with a message that was fetched at 0 s and is hidden for 100 s."""

    async def run() -> None:
        storage = MemoryQueues()
        await storage.create(QUEUE)
        await storage.put(QUEUE, "text")
        (message,) = await storage.get(QUEUE, 1, HIDDEN_SECONDS)
        await scenario(storage, Lease(storage, QUEUE, message, HIDDEN_SECONDS))

    run_in_virtual_time(run)


def now() -> float:
    return asyncio.get_running_loop().time()


def test_message_is_renewed_when_half_its_time_is_over_and_not_before() -> None:
    async def scenario(storage: MemoryQueues, lease: Lease) -> None:
        await asyncio.sleep(49)
        await lease.renew_if_due()
        assert storage.count("hide") == 0
        await asyncio.sleep(1.5)
        await lease.renew_if_due()
        assert storage.count("hide") == 1
        # The time counts from the renewal on, and so does the next half.
        await asyncio.sleep(49)
        await lease.renew_if_due()
        assert storage.count("hide") == 1
        await asyncio.sleep(40)
        assert storage.visible(QUEUE) == []
        await asyncio.sleep(20)
        assert storage.visible(QUEUE) == ["text"]

    run_with_lease(scenario)


def test_renewal_that_fails_is_reported_and_due_again() -> None:
    async def scenario(storage: MemoryQueues, lease: Lease) -> None:
        storage.failures["hide"] = [StorageUnavailable("away")]
        await asyncio.sleep(60)
        with pytest.raises(StorageUnavailable):
            await lease.renew_if_due()
        await lease.renew_if_due()
        assert storage.count("hide") == 2
        await lease.delete()
        assert storage.texts(QUEUE) == []

    run_with_lease(scenario)


def test_message_is_deleted_with_the_receipt_of_its_renewal() -> None:
    async def scenario(storage: MemoryQueues, lease: Lease) -> None:
        await asyncio.sleep(60)
        await lease.renew_if_due()
        await lease.delete()
        assert storage.texts(QUEUE) == []
        assert storage.count("delete") == 1

    run_with_lease(scenario)


def test_changes_of_a_message_are_made_one_at_a_time() -> None:
    async def scenario(storage: MemoryQueues, lease: Lease) -> None:
        await asyncio.sleep(60)
        # Made at once, the second would use a receipt that the first has spent.
        await asyncio.gather(lease.renew_if_due(), lease.delete())
        assert storage.texts(QUEUE) == [] and storage.count("delete") == 1

    run_with_lease(scenario)


@pytest.mark.parametrize("seconds", [0, 7])
def test_released_message_is_seen_again_after_the_seconds_given(seconds: int) -> None:
    async def scenario(storage: MemoryQueues, lease: Lease) -> None:
        await lease.release(seconds)
        await asyncio.sleep(seconds - 0.5)
        assert storage.visible(QUEUE) == (["text"] if seconds == 0 else [])
        await asyncio.sleep(1)
        assert storage.visible(QUEUE) == ["text"]

    run_with_lease(scenario)


@pytest.mark.parametrize("operation", ["delete", "hide"])
def test_change_is_tried_until_the_service_is_back_with_pauses_that_double_to_two_seconds(
    operation: str,
) -> None:
    async def scenario(storage: MemoryQueues, lease: Lease) -> None:
        storage.failures[operation] = [StorageUnavailable("away")] * 7
        await (lease.delete() if operation == "delete" else lease.release(0))
        times = [time for name, time in storage.operations if name == operation]
        pauses = [after - before for before, after in zip(times, times[1:], strict=False)]
        assert pauses == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0], abs=0.01)
        assert storage.texts(QUEUE) == ([] if operation == "delete" else ["text"])

    run_with_lease(scenario)


def test_message_that_is_gone_ends_its_deletion_at_once() -> None:
    async def scenario(storage: MemoryQueues, lease: Lease) -> None:
        storage.lost_answers["delete"] = [StorageUnavailable("the answer was lost")]
        start = now()
        await lease.delete()  # the second try is answered with 404
        assert storage.count("delete") == 2
        assert now() - start < 1

    run_with_lease(scenario)


def test_stale_receipt_waits_for_the_message_and_deletes_it_with_the_new_receipt() -> None:
    async def scenario(storage: MemoryQueues, lease: Lease) -> None:
        storage.lost_answers["hide"] = [StorageUnavailable("the answer was lost")]
        await asyncio.sleep(60)
        with pytest.raises(StorageUnavailable):
            await lease.renew_if_due()
        deletion = asyncio.create_task(lease.delete())
        await asyncio.sleep(101)  # hidden until 160 s
        assert storage.texts(QUEUE) == ["text"] and not deletion.done()
        (message,) = storage.deliver(QUEUE, 1, HIDDEN_SECONDS)
        lease.adopt(message)
        await deletion
        assert storage.texts(QUEUE) == []
        assert lease.message.dequeue_count == 2

    run_with_lease(scenario)


def test_stale_receipt_whose_message_does_not_come_again_ends_the_tries() -> None:
    async def scenario(storage: MemoryQueues, lease: Lease) -> None:
        await asyncio.sleep(HIDDEN_SECONDS + 1)
        storage.deliver(QUEUE, 1, 10_000)  # to another host
        start = now()
        await lease.delete()
        assert storage.count("delete") == 1
        assert now() - start == pytest.approx(2 * HIDDEN_SECONDS, abs=1)
        assert storage.texts(QUEUE) == ["text"]

    run_with_lease(scenario)


def test_message_that_came_again_before_the_change_failed_does_not_end_the_wait() -> None:
    """Only a delivery after the failed change brings a receipt that is newer."""

    async def scenario(storage: MemoryQueues, lease: Lease) -> None:
        await asyncio.sleep(HIDDEN_SECONDS + 1)
        (message,) = storage.deliver(QUEUE, 1, 1)
        lease.adopt(message)
        await asyncio.sleep(2)
        storage.deliver(QUEUE, 1, 10_000)  # to another host
        await lease.delete()
        assert storage.count("delete") == 1

    run_with_lease(scenario)


def test_adopted_message_has_its_whole_time_again() -> None:
    async def scenario(storage: MemoryQueues, lease: Lease) -> None:
        await asyncio.sleep(HIDDEN_SECONDS + 1)
        (message,) = storage.deliver(QUEUE, 1, HIDDEN_SECONDS)
        lease.adopt(message)
        await lease.renew_if_due()
        assert storage.count("hide") == 0 and lease.message is message

    run_with_lease(scenario)


def test_release_at_stop_is_tried_once_and_says_whether_it_worked() -> None:
    async def scenario(storage: MemoryQueues, lease: Lease) -> None:
        storage.failures["hide"] = [StorageUnavailable("away"), StorageError(404, "Gone", "hide")]
        assert not await lease.try_release()
        assert not await lease.try_release()
        assert await lease.try_release()
        assert storage.visible(QUEUE) == ["text"] and storage.count("hide") == 3

    run_with_lease(scenario)
