"""A worker's end of the pipe to its parent, with the parent's end held by the test."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any, cast

import pytest

from local_host.bindings.outputs import OutputFailed
from local_host.processes.worker import Worker
from local_host.processes.worker_process import ParentChannel
from local_host.queues.message import QueueCall, RawMessage

EPOCH = datetime.fromtimestamp(0, UTC)
CALL = QueueCall("f", "q", RawMessage("1", "", "r", 1, EPOCH, EPOCH, EPOCH), "")
SECONDS = 20


class Caller:
    """Stands where the worker calls functions."""

    def __init__(self, result: bool | Exception) -> None:
        self._result = result
        self.calls: list[QueueCall] = []

    async def call_function(self, call: QueueCall) -> bool:
        self.calls.append(call)
        if isinstance(self._result, Exception):
            raise self._result
        return self._result


class Parent:
    """The parent's end of the pipe."""

    def __init__(self, pipe: Connection) -> None:
        self.pipe = pipe

    async def receive(self) -> Any:
        """The next message from the worker, within a time limit."""
        assert await asyncio.to_thread(self.pipe.poll, SECONDS), "no message"
        return self.pipe.recv()


def run_channel(
    scenario: Callable[[ParentChannel, Parent], Coroutine[Any, Any, None]],
    caller: Caller | None = None,
) -> bool:
    """Runs a scenario with a channel that receives; returns whether it was told to stop."""
    ours, theirs = Pipe()
    channel, stopped = ParentChannel(theirs), threading.Event()
    receiving = threading.Thread(target=channel.receive, args=(stopped.set,), daemon=True)

    async def run() -> None:
        channel.join_loop(cast("Worker", caller or Caller(True)))
        receiving.start()
        async with asyncio.timeout(SECONDS):
            await scenario(channel, Parent(ours))

    asyncio.run(run())
    if not ours.closed:
        assert not stopped.is_set(), "it stops without being told"
        ours.send(("stop",))
    receiving.join(SECONDS)
    return stopped.is_set()


@pytest.mark.parametrize("result", [True, False])
def test_call_is_made_and_its_outcome_sent_with_its_number(result: bool) -> None:
    caller = Caller(result)

    async def scenario(channel: ParentChannel, parent: Parent) -> None:
        parent.pipe.send(("call", 7, CALL))
        assert await parent.receive() == ("called", 7, result)

    assert run_channel(scenario, caller)
    assert caller.calls == [CALL]


def test_call_that_raises_is_told_as_failed() -> None:
    async def scenario(channel: ParentChannel, parent: Parent) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        parent.pipe.send(("call", 7, CALL))
        assert await parent.receive() == ("called", 7, False)

    run_channel(scenario, Caller(RuntimeError("no")))


def test_write_waits_for_the_parents_answer_and_raises_its_error() -> None:
    async def scenario(channel: ParentChannel, parent: Parent) -> None:
        errors: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
        first = asyncio.create_task(channel.write([]))
        second = asyncio.create_task(channel.write([]))
        kind, one, writes = await parent.receive()
        assert (kind, writes) == ("write", [])
        _, other, _ = await parent.receive()
        assert one != other
        # Answers may come in any order, and one for a write that nobody waits for is passed over.
        parent.pipe.send(("written", one + other + 1, None))
        parent.pipe.send(("written", other, "queue is full"))
        with pytest.raises(OutputFailed, match="queue is full"):
            await second
        assert not first.done()
        parent.pipe.send(("written", one, None))
        await first
        # So is an answer that comes twice; the call shows that it was received.
        parent.pipe.send(("written", one, None))
        parent.pipe.send(("call", 7, CALL))
        assert await parent.receive() == ("called", 7, True)
        assert errors == []

    run_channel(scenario)


def test_worker_whose_parent_dies_is_told_to_stop() -> None:
    async def scenario(channel: ParentChannel, parent: Parent) -> None:
        parent.pipe.close()

    assert run_channel(scenario)


def test_message_for_a_parent_that_has_died_raises_nothing() -> None:
    async def scenario(channel: ParentChannel, parent: Parent) -> None:
        parent.pipe.close()
        channel.send("lines", "text")
        channel.send("lines", "text")

    assert run_channel(scenario)


def test_messages_of_several_threads_do_not_mix() -> None:
    async def scenario(channel: ParentChannel, parent: Parent) -> None:
        # Longer than the pipe holds, so that writers wait amid a message.
        text = "x" * 500_000

        def send() -> None:
            for _ in range(10):
                channel.send("lines", text)

        threads = [threading.Thread(target=send) for _ in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(40):
            assert await parent.receive() == ("lines", text)

    run_channel(scenario)


def test_calls_after_the_end_of_the_loop_are_dropped() -> None:
    ours, theirs = Pipe()
    channel, stopped = ParentChannel(theirs), threading.Event()

    async def join() -> None:
        channel.join_loop(cast("Worker", Caller(True)))

    asyncio.run(join())
    ours.send(("call", 1, CALL))
    ours.send(("stop",))
    channel.receive(stopped.set)

    assert stopped.is_set() and not ours.poll()
