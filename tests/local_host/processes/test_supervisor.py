"""The parent of several workers: starts, restarts, stops and serves them, without processes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from local_host.bindings.outputs import OutputFailed
from local_host.configuration.host_json import HostFile
from local_host.configuration.local_settings import Cors
from local_host.console import Console
from local_host.functions.function_table import FunctionTable
from local_host.host_config import HostConfig
from local_host.processes.shared_services import Services
from local_host.processes.supervisor import FAILED_STARTS, Supervisor
from local_host.queues.message import WorkerGone
from tests.support.virtual_time import until

SECONDS = 20
RESTART_SECONDS = 0.01


class Process:
    """Stands where a worker process stands; the test speaks for it."""

    started: list[Process]
    say: Callable[..., None]
    end: Callable[[], None]

    def __init__(self, number: int, config: HostConfig, sock: Any) -> None:
        self.number = number
        self.is_ready = False
        self.pid = 1000 + len(self.started)
        self.ending = "exit status 7"
        self.sent: list[tuple[Any, ...]] = []
        self.is_closed = False
        self.started.append(self)

    def connect(
        self,
        loop: asyncio.AbstractEventLoop,
        on_message: Callable[..., None],
        on_end: Callable[[Any], None],
    ) -> None:
        self.say = lambda *message: on_message(self, *message)
        self.end = lambda: on_end(self)

    def send(self, *message: Any) -> None:
        self.sent.append(message)

    def close(self) -> None:
        self.is_closed = True


class SharedServices:
    """Stands where storage and SignalR stand; keeps the order of what it is told."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.starts: list[tuple[Any, Any]] = []
        self.error: OutputFailed | None = None
        self.drained = asyncio.Event()
        self.drained.set()

    def start(self, caller: Any, broken: Any) -> None:
        self.starts.append((caller, broken))

    async def write(self, writes: Sequence[Any]) -> None:
        self.events.append(f"write {list(writes)}")
        if self.error is not None:
            raise self.error

    def stop_polling(self) -> None:
        self.events.append("stop polling")

    async def drain(self, seconds: float) -> None:
        self.events.append(f"drain {seconds}")
        await self.drained.wait()

    async def close(self) -> None:
        self.events.append("close")


class House:
    """A supervisor with two workers, and what the test sees of it."""

    def __init__(self, processes: list[Process]) -> None:
        self.processes = processes
        self.services = SharedServices()
        self.ready: list[Any] = []
        self.lines: list[str] = []
        self.console = Console(self.lines.append)
        config = HostConfig(
            Path(), "127.0.0.1", 1, 2, 1, None, False, HostFile(), Cors(), FunctionTable()
        )
        self.supervisor = Supervisor(
            config,
            cast("Any", None),
            cast("Services", self.services),
            self.console,
            self.ready.append,
        )

    @property
    def text(self) -> str:
        self.console.close()
        return "".join(self.lines)

    def stop(self) -> None:
        self.supervisor._stop.set()


@pytest.fixture
def run_house(
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[Callable[[House], Coroutine[Any, Any, None]]], tuple[int, House]]:
    """Runs a scenario beside a supervisor; returns the exit status when both have ended."""
    processes: list[Process] = []
    stopped: list[Process] = []
    monkeypatch.setattr(Process, "started", processes, raising=False)
    monkeypatch.setattr(
        Process, "stop_all", lambda handles, seconds: stopped.extend(handles), raising=False
    )
    monkeypatch.setattr("local_host.processes.supervisor.WorkerHandle", Process)
    monkeypatch.setattr("local_host.processes.supervisor.STOP_SIGNALS", ())
    monkeypatch.setattr("local_host.processes.supervisor.RESTART_SECONDS", RESTART_SECONDS)

    def run(scenario: Callable[[House], Coroutine[Any, Any, None]]) -> tuple[int, House]:
        house = House(processes)

        async def both() -> int:
            async with asyncio.timeout(SECONDS):
                running = asyncio.create_task(house.supervisor.run())
                await until(lambda: len(processes) == 2, SECONDS)
                await scenario(house)
                return await running

        status = asyncio.run(both())
        assert set(stopped) >= {one for one in processes if not one.is_closed}
        return status, house

    return run


Run = Callable[[Callable[[House], Coroutine[Any, Any, None]]], tuple[int, House]]


def test_services_start_once_with_the_first_worker_that_is_ready(run_house: Run) -> None:
    async def scenario(house: House) -> None:
        first, second = house.processes
        assert [first.number, second.number] == [1, 2]
        assert house.services.starts == []
        second.say("ready", {"f": "broken"})
        first.say("ready", {"f": "broken"})
        assert first.is_ready and second.is_ready
        house.stop()

    status, house = run_house(scenario)
    assert status == 0
    assert house.ready == [{"f": "broken"}]
    ((caller, broken),) = house.services.starts
    assert broken == {"f": "broken"} and caller is house.supervisor._pool


def test_stop_drains_before_it_ends_the_workers_and_closes_last(run_house: Run) -> None:
    async def scenario(house: House) -> None:
        house.stop()

    _, house = run_house(scenario)
    assert house.services.events == ["stop polling", "drain 2", "close"]


def test_ready_worker_that_ends_is_replaced_under_its_number(run_house: Run) -> None:
    async def scenario(house: House) -> None:
        victim = house.processes[1]
        victim.say("ready", {})
        victim.end()
        assert victim.is_closed
        assert [one.number for one in house.processes] == [1, 2, 2]
        house.stop()

    _, house = run_house(scenario)
    assert "Worker 2 (process 1001) ended: exit status 7. Starting another." in house.text


def test_workers_that_end_before_they_are_ready_three_times_stop_the_host(run_house: Run) -> None:
    async def scenario(house: House) -> None:
        for count in range(1, FAILED_STARTS):
            house.processes[-1].end()
            await until(lambda count=count: len(house.processes) == 2 + count, SECONDS)  # type: ignore[misc]
        house.processes[-1].end()
        house.processes[0].end()  # it changes nothing any more

    status, house = run_house(scenario)
    assert status == 1
    assert FAILED_STARTS == 3 and len(house.processes) == 4
    assert house.text.count("It was not ready yet. Starting another.") == 2
    assert house.text.count("Workers cannot start, so the host stops.") == 1


def test_start_that_succeeds_takes_the_failures_before_it_back(run_house: Run) -> None:
    async def scenario(house: House) -> None:
        for count in range(1, FAILED_STARTS):
            house.processes[-1].end()
            await until(lambda count=count: len(house.processes) == 2 + count, SECONDS)  # type: ignore[misc]
        house.processes[-1].say("ready", {})
        house.processes[0].end()
        await until(lambda: len(house.processes) == 5, SECONDS)
        house.stop()

    status, _ = run_house(scenario)
    assert status == 0


def test_worker_that_ends_while_the_host_stops_is_not_replaced(run_house: Run) -> None:
    async def scenario(house: House) -> None:
        first, second = house.processes
        first.say("ready", {})
        second.end()  # another start is due
        house.services.drained.clear()
        house.stop()
        first.end()
        # Set after that other start was due: timers run in the order of their times.
        asyncio.get_running_loop().call_later(5 * RESTART_SECONDS, house.services.drained.set)

    _, house = run_house(scenario)
    assert len(house.processes) == 2 and "Worker 1" not in house.text


@pytest.mark.parametrize("error", [None, "the queue is full"])
def test_writes_of_a_worker_are_performed_and_answered(run_house: Run, error: str | None) -> None:
    async def scenario(house: House) -> None:
        first, second = house.processes
        if error:
            house.services.error = OutputFailed(error)
        second.say("write", 5, ["a", "b"])
        await until(lambda: bool(second.sent), SECONDS)
        assert second.sent == [("written", 5, error)] and first.sent == []
        assert house.services.events == ["write ['a', 'b']"]
        house.stop()

    run_house(scenario)


def test_lines_of_a_worker_are_shown_as_they_are(run_house: Run) -> None:
    async def scenario(house: House) -> None:
        house.processes[0].say("lines", "one\ntwo\n")
        house.stop()

    _, house = run_house(scenario)
    assert house.text == "one\ntwo\n"


def test_call_ends_with_its_outcome_or_with_its_worker(run_house: Run) -> None:
    async def scenario(house: House) -> None:
        first = house.processes[0]
        first.say("ready", {})
        ((caller, _),) = house.services.starts
        call = asyncio.create_task(caller.call_function("the call"))
        await until(lambda: bool(first.sent), SECONDS)
        ((kind, number, content),) = first.sent
        assert (kind, content) == ("call", "the call")
        first.say("called", number, True)
        assert await call
        lost = asyncio.create_task(caller.call_function("another call"))
        await until(lambda: len(first.sent) == 2, SECONDS)
        first.end()
        with pytest.raises(WorkerGone):
            await lost
        house.stop()

    run_house(scenario)
