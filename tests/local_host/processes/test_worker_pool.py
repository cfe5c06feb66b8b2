"""Calls for queue messages, handed to the workers that are ready."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from local_host.processes.worker_handle import WorkerHandle
from local_host.processes.worker_pool import WorkerPool
from local_host.queues.message import QueueCall, RawMessage, WorkerGone
from tests.support.virtual_time import run_in_virtual_time

EPOCH = datetime.fromtimestamp(0, UTC)
CALL = QueueCall("f", "q", RawMessage("1", "", "r", 1, EPOCH, EPOCH, EPOCH), "")


class Pipe:
    """The parent's end of a worker's pipe: keeps what it is sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[Any, ...]] = []

    @property
    def handle(self) -> WorkerHandle:
        return cast("WorkerHandle", self)

    @property
    def numbers(self) -> list[int]:
        """The numbers of the calls that the worker got."""
        assert all(kind == "call" and call is CALL for kind, _, call in self.sent)
        return [number for _, number, _ in self.sent]

    def send(self, *message: Any) -> None:
        self.sent.append(message)


async def begin(pool: WorkerPool, count: int = 1) -> list[asyncio.Task[bool]]:
    tasks = [asyncio.create_task(pool.call_function(CALL)) for _ in range(count)]
    await asyncio.sleep(0.01)
    return tasks


def test_each_call_goes_to_the_worker_with_the_fewest() -> None:
    async def scenario() -> None:
        pool, first, second = WorkerPool(), Pipe(), Pipe()
        pool.add(first.handle)
        pool.add(second.handle)
        tasks = await begin(pool, 5)
        assert {len(first.sent), len(second.sent)} == {2, 3}
        busier, other = (first, second) if len(first.sent) == 3 else (second, first)
        for number in busier.numbers[:2]:
            pool.on_called(busier.handle, number, True)
        await asyncio.sleep(0.01)
        tasks += await begin(pool)
        assert len(busier.sent) == 4 and len(other.sent) == 2
        assert len({*first.numbers, *second.numbers}) == 6, "each call has a number of its own"
        for pipe in (first, second):
            for number in pipe.numbers:
                pool.on_called(pipe.handle, number, True)
        assert await asyncio.gather(*tasks) == [True] * 6

    run_in_virtual_time(scenario)


@pytest.mark.parametrize("succeeded", [True, False])
def test_call_ends_with_what_its_worker_reports(succeeded: bool) -> None:
    async def scenario() -> None:
        pool, worker = WorkerPool(), Pipe()
        pool.add(worker.handle)
        one, other = await begin(pool, 2)
        pool.on_called(worker.handle, worker.numbers[1], succeeded)
        assert await other is succeeded
        assert not one.done()
        pool.on_called(worker.handle, worker.numbers[0], not succeeded)
        assert await one is not succeeded

    run_in_virtual_time(scenario)


def test_calls_of_a_worker_that_dies_fail_and_those_of_others_go_on() -> None:
    async def scenario() -> None:
        pool, victim, other = WorkerPool(), Pipe(), Pipe()
        pool.add(victim.handle)
        pool.add(other.handle)
        tasks = await begin(pool, 4)
        # One of its calls has ended, but nobody has taken notice yet.
        pool.on_called(victim.handle, victim.numbers[0], True)
        pool.remove(victim.handle)
        await asyncio.sleep(0.01)
        results = [task.exception() or task.result() for task in tasks if task.done()]
        assert sorted(map(type, results), key=str) == [bool, WorkerGone]
        for number in other.numbers:
            pool.on_called(other.handle, number, True)
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert done.count(True) == 3
        (later,) = await begin(pool)
        pool.on_called(other.handle, other.numbers[-1], True)
        assert await later and len(other.sent) == 3

    run_in_virtual_time(scenario)


def test_calls_wait_until_there_is_a_worker_again() -> None:
    async def scenario() -> None:
        pool, first, second = WorkerPool(), Pipe(), Pipe()
        (waiting,) = await begin(pool)
        assert not waiting.done()
        pool.add(first.handle)
        await asyncio.sleep(0.01)
        assert len(first.sent) == 1
        pool.remove(first.handle)
        with pytest.raises(WorkerGone):
            await waiting
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(60):
                await pool.ready()
        (waiting,) = await begin(pool)
        pool.add(second.handle)
        await pool.ready()
        await asyncio.sleep(0.01)
        pool.on_called(second.handle, second.numbers[0], True)
        assert await waiting and len(first.sent) == 1

    run_in_virtual_time(scenario)


def test_pool_is_ready_while_one_of_two_workers_is_left() -> None:
    async def scenario() -> None:
        pool, first, second = WorkerPool(), Pipe(), Pipe()
        pool.add(first.handle)
        pool.add(second.handle)
        pool.remove(first.handle)
        async with asyncio.timeout(1):
            await pool.ready()

    run_in_virtual_time(scenario)


def test_reports_that_come_late_or_twice_change_nothing() -> None:
    async def scenario() -> None:
        pool, worker, stranger = WorkerPool(), Pipe(), Pipe()
        pool.add(worker.handle)
        (task,) = await begin(pool)
        (number,) = worker.numbers
        pool.on_called(stranger.handle, number, False)
        pool.on_called(worker.handle, number + 1, False)
        pool.on_called(worker.handle, number, True)
        pool.on_called(worker.handle, number, False)
        assert await task
        pool.on_called(worker.handle, number, False)
        pool.remove(worker.handle)
        pool.remove(stranger.handle)

    run_in_virtual_time(scenario)
