"""A worker in this process: its calls for queue messages, its outputs and its stop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from local_host.bindings.outputs import OutputFailed, QueueWrite, Write
from local_host.bindings.targets import BindingTargets
from local_host.configuration.host_json import HostFile
from local_host.configuration.local_settings import Cors
from local_host.console import Console
from local_host.functions.function_table import Binding, Function, FunctionTable
from local_host.functions.loader import LoadedFunction
from local_host.host_config import HostConfig
from local_host.processes.worker import Worker
from local_host.processes.worker_handle import WorkerHandle
from local_host.queues.message import QueueCall, RawMessage
from local_host.queues.queue_target import QueueTarget
from local_host.sockets import listen
from tests.support.memory_queues import ACCOUNT

SECONDS = 20
EPOCH = datetime.fromtimestamp(0, UTC)
MESSAGE = RawMessage("id-1", "aGk=", "receipt", 1, EPOCH, EPOCH, EPOCH)
CALL = QueueCall("f", "given", MESSAGE, "hi")
TRIGGER = Binding("msg", "queueTrigger", "in")
OUT = Binding("out", "queue", "out")
FUNCTION = Function("f", Path(), Path(), "main", (TRIGGER, OUT), False, {})
OUT_TARGET = QueueTarget("out", ACCOUNT)


class Case:
    """A worker with one function, which a test gives."""

    def __init__(self, call: Any = None) -> None:
        self.lines: list[str] = []
        self.console = Console(self.lines.append)
        self.writes: list[Sequence[Write]] = []
        self.write_error: OutputFailed | None = None
        config = HostConfig(
            root=Path(),
            address="127.0.0.1",
            port=1,
            workers=1,
            body_limit=1,
            threads=1,
            colour=False,
            host_file=HostFile(),
            cors=Cors(),
            table=FunctionTable((FUNCTION,)),
            targets=BindingTargets({("f", "out"): OUT_TARGET}),
        )
        self.worker = Worker(config, self.console, self._write)
        if call is not None:
            self.worker._loaded["f"] = LoadedFunction(
                FUNCTION, call, True, False, (TRIGGER,), (OUT,), None
            )

    async def _write(self, writes: Sequence[Write]) -> None:
        self.writes.append(writes)
        if self.write_error is not None:
            raise self.write_error

    @property
    def text(self) -> str:
        self.console.close()
        return "".join(self.lines)

    def call_function(self) -> bool:
        async def limited() -> bool:
            async with asyncio.timeout(SECONDS):
                await self.worker.ready()
                return await self.worker.call_function(CALL)

        return asyncio.run(limited())


async def answer(msg: Any, out: Any) -> None:
    out.set(f"{msg.id}: {msg.get_body().decode()}")


async def say_nothing(msg: Any, out: Any) -> None:
    pass


async def fail(msg: Any, out: Any) -> None:
    raise ValueError("no good")


@pytest.fixture(autouse=True)
def uvicorn_logger() -> Iterator[None]:
    """Puts back the level that a stop changes."""
    logger = logging.getLogger("uvicorn.error")
    level = logger.level
    yield
    logger.setLevel(level)


def test_function_is_called_for_a_message_and_its_output_is_written() -> None:
    case = Case(answer)

    assert case.call_function()
    assert case.writes == [[QueueWrite(OUT_TARGET, "aWQtMTogaGk=")]]
    assert "Reason='New queue message detected on 'given'.'" in case.text
    assert "MessageId: id-1, DequeueCount: 1" in case.text


def test_function_without_outputs_writes_nothing() -> None:
    case = Case(say_nothing)

    assert case.call_function() and case.writes == []


def test_function_that_raises_has_failed() -> None:
    case = Case(fail)

    assert not case.call_function()
    assert case.writes == [] and "ValueError: no good" in case.text


def test_output_that_is_not_written_fails_the_call() -> None:
    case = Case(answer)
    case.write_error = OutputFailed("the queue is full")

    assert not case.call_function()
    assert "the queue is full" in case.text


def test_function_that_did_not_load_has_failed_for_the_reason_told_at_the_start() -> None:
    case = Case()
    case.worker.load_errors["f"] = "The 'f' function is in error: why"

    assert not case.call_function()
    assert "The 'f' function is in error: why" in case.text


def test_closed_worker_takes_no_more_calls_in_threads() -> None:
    case = Case()

    def main(msg: Any, out: Any) -> None:
        raise AssertionError("it is called")

    loaded = LoadedFunction(FUNCTION, main, False, False, (TRIGGER,), (OUT,), None)
    case.worker._loaded["f"] = loaded
    case.worker.close()

    assert not case.call_function()
    assert "cannot schedule new futures after shutdown" in case.text


def test_worker_that_is_stopped_before_it_serves_ends_at_once() -> None:
    case = Case()

    async def serve() -> None:
        with listen("127.0.0.1", 0) as sock:
            async with asyncio.timeout(SECONDS):
                await case.worker.serve(sock, lambda: None)

    assert not case.worker.is_serving
    case.worker.stop()
    asyncio.run(serve())


def test_second_stop_does_not_wait_for_requests() -> None:
    case = Case()
    server = SimpleNamespace(force_exit=False, should_exit=False, started=True)
    case.worker._server = cast("Any", server)

    case.worker.stop()
    assert (server.should_exit, server.force_exit) == (True, False)
    case.worker.stop()
    assert (server.should_exit, server.force_exit) == (True, True)


class Process:
    """A process that ends when it is told to, or only when it is killed."""

    def __init__(self, *, obeys: bool) -> None:
        self.obeys = obeys
        self.events: list[Any] = []
        self._is_alive = True

    def send(self, *message: Any) -> None:
        self.events.append(message)

    def join(self, timeout: float | None = None) -> None:
        self.events.append("join" if timeout is None else round(timeout))
        self._is_alive = self._is_alive and not self.obeys

    def is_alive(self) -> bool:
        return self._is_alive

    def kill(self) -> None:
        self.events.append("kill")
        self._is_alive = False


def test_workers_are_all_told_to_stop_and_only_those_that_do_not_are_killed() -> None:
    processes = [Process(obeys=True), Process(obeys=False), Process(obeys=True)]
    handles = [SimpleNamespace(send=one.send, _process=one) for one in processes]

    WorkerHandle.stop_all(cast("Any", handles), 4)

    assert [one.events for one in processes] == [
        [("stop",), 4],
        [("stop",), 4, "kill", "join"],
        [("stop",), 4],
    ]
