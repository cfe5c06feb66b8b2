"""When the listener fetches, renews and stops, on a clock that jumps."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager

import pytest

from local_host.configuration.queue_settings import QueueSettings
from local_host.console import Console
from local_host.queues.listener import QueueListener
from local_host.queues.message import QueueCall
from local_host.queues.queue_target import QueueTarget
from local_host.queues.storage_client import StorageError, StorageUnavailable
from tests.support.memory_queues import ACCOUNT, MemoryQueues
from tests.support.virtual_time import run_in_virtual_time, until

QUEUE = "given"
LONGEST_POLLING_SECONDS = 60.0
DEFAULTS = QueueSettings()


class Function:
    """Runs for some seconds; counts its calls and how many run at once.

    Attributes:
        seconds: how long a call takes, or how long one takes for a text.
        is_ready: set while there is a worker.
    """

    def __init__(
        self, seconds: float | Callable[[str], float] = 1.0, *, succeeds: bool = True
    ) -> None:
        self.seconds = seconds
        self.calls: list[QueueCall] = []
        self.running = 0
        self.most = 0
        self.ended = 0
        self.is_ready = asyncio.Event()
        self.is_ready.set()
        self._succeeds = succeeds

    async def ready(self) -> None:
        await self.is_ready.wait()

    async def call_function(self, call: QueueCall) -> bool:
        self.calls.append(call)
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            seconds = self.seconds
            await asyncio.sleep(seconds(str(call.body)) if callable(seconds) else seconds)
        finally:
            self.running -= 1
        self.ended += 1
        return self._succeeds


class Bench:
    """A listener on a queue in memory."""

    def __init__(self, function: Function, settings: QueueSettings, hidden_seconds: int) -> None:
        self.function = function
        self.storage = MemoryQueues()
        self.lines: list[str] = []
        self.console = Console(self.lines.append)
        self.listener = QueueListener(
            "f",
            QueueTarget(QUEUE, ACCOUNT),
            settings,
            self.storage,
            function,
            self.console,
            polling_seconds=LONGEST_POLLING_SECONDS,
            hidden_seconds=hidden_seconds,
        )

    @property
    def text(self) -> str:
        """The console's lines, once it is closed."""
        self.console.close()
        return "".join(self.lines)

    async def put(self, *texts: str) -> None:
        for text in texts:
            await self.storage.put(QUEUE, base64.b64encode(text.encode()).decode())


@asynccontextmanager
async def listening(
    function: Function, settings: QueueSettings = DEFAULTS, hidden_seconds: int = 600
) -> AsyncIterator[Bench]:
    bench = Bench(function, settings, hidden_seconds)
    await bench.storage.create(QUEUE)
    try:
        yield bench
    finally:
        bench.listener.stop_polling()
        await bench.listener.drain(0)
        bench.console.close()


def scenario(test: Callable[[], Coroutine[None, None, None]]) -> Callable[[], None]:
    """Runs an ``async`` test on the clock that jumps."""

    def run() -> None:
        run_in_virtual_time(test)

    run.__name__ = test.__name__
    run.__doc__ = test.__doc__
    return run


@pytest.mark.parametrize(("batch", "threshold"), [(4, 2), (1, 0), (1, 1), (16, 8), (2, 5)])
def test_never_more_than_batch_and_threshold_run_at_once(batch: int, threshold: int) -> None:
    async def run() -> None:
        # Each call takes another time, so that they end one by one.
        function = Function(lambda text: 1 + int(text) % 7 / 10 + int(text) / 1000)
        settings = QueueSettings(batch_size=batch, new_batch_threshold=threshold)
        async with listening(function, settings) as bench:
            await bench.put(*map(str, range(60)))
            bench.listener.start()
            await until(lambda: not bench.storage.texts(QUEUE))

        assert function.most == settings.parallel == batch + threshold
        assert sorted(int(call.body) for call in function.calls) == list(range(60))

    run_in_virtual_time(run)


@scenario
async def test_next_batch_is_fetched_as_soon_as_the_threshold_is_reached() -> None:
    function = Function(10)
    settings = QueueSettings(batch_size=4, new_batch_threshold=2)
    async with listening(function, settings) as bench:
        await bench.put(*"abcdef")
        bench.listener.start()
        await asyncio.sleep(5)
        assert (function.running, bench.storage.count("get")) == (4, 1)
        await asyncio.sleep(6)
        assert function.running == 2
        times = [time for name, time in bench.storage.operations if name == "get"]
        assert times[1] == pytest.approx(10, abs=0.1)


@scenario
async def test_empty_queue_is_polled_less_and_less_often_until_a_message_comes() -> None:
    function = Function(0.01)
    async with listening(function) as bench:
        bench.listener.start()
        await asyncio.sleep(1)
        assert bench.storage.count("get") >= 3
        await asyncio.sleep(600)
        # A look each minute by now.
        before = bench.storage.count("get")
        await asyncio.sleep(600)
        assert 9 <= bench.storage.count("get") - before <= 11
        await bench.put("late")
        await until(lambda: function.ended == 1, 61)
        # And often again after a message.
        before = bench.storage.count("get")
        await asyncio.sleep(1)
        assert bench.storage.count("get") - before >= 2


@scenario
async def test_full_batches_are_fetched_without_a_pause() -> None:
    function = Function(0.01)
    async with listening(function, QueueSettings(batch_size=2, new_batch_threshold=2)) as bench:
        await bench.put(*map(str, range(100)))
        bench.listener.start()
        assert await until(lambda: function.ended == 100) < 2


@scenario
async def test_listener_that_is_woken_looks_at_once_and_then_often_again() -> None:
    function = Function(0.01)
    async with listening(function) as bench:
        bench.listener.start()
        await asyncio.sleep(1000)
        await bench.put("new")
        bench.listener.wake()
        assert await until(lambda: function.ended == 1) <= 0.2
        before = bench.storage.count("get")
        await asyncio.sleep(1)
        assert bench.storage.count("get") > before + 1


@scenario
async def test_listener_that_is_woken_in_vain_looks_often_for_a_while_and_then_seldom() -> None:
    """The message may become visible a moment later."""
    async with listening(Function()) as bench:
        bench.listener.start()
        await asyncio.sleep(1000)
        before = bench.storage.count("get")
        bench.listener.wake()
        await asyncio.sleep(2)
        assert 4 <= bench.storage.count("get") - before <= 20
        await asyncio.sleep(600)
        before = bench.storage.count("get")
        await asyncio.sleep(600)
        assert bench.storage.count("get") - before <= 12


@scenario
async def test_nothing_is_fetched_while_there_is_no_worker() -> None:
    function = Function()
    function.is_ready.clear()
    async with listening(function) as bench:
        await bench.put("a")
        bench.listener.start()
        await asyncio.sleep(100)
        assert bench.storage.count("get") == 0
        function.is_ready.set()
        await until(lambda: function.ended == 1, 3)


@scenario
async def test_message_stays_hidden_while_its_function_runs_for_an_hour() -> None:
    function = Function(3600)
    async with listening(function, hidden_seconds=600) as bench:
        await bench.put("long")
        bench.listener.start()
        for _ in range(360):
            await asyncio.sleep(10)
            assert bench.storage.visible(QUEUE) == []
        await until(lambda: not bench.storage.texts(QUEUE), 100)
        # Renewed at half time, thus about every five minutes.
        assert 10 <= bench.storage.count("hide") <= 13
    assert len(function.calls) == 1 and bench.text == ""


@scenario
async def test_renewal_survives_a_service_that_is_away() -> None:
    function = Function(2000)
    async with listening(function, hidden_seconds=600) as bench:
        await bench.put("long")
        bench.storage.failures["hide"] = [StorageUnavailable("away")] * 5
        bench.listener.start()
        await asyncio.sleep(1900)
        assert bench.storage.visible(QUEUE) == []
        (stored,) = bench.storage.queues[QUEUE].values()
        assert stored.message.dequeue_count == 1, "it was hidden all the time"
    assert bench.text == ""


@scenario
async def test_renewal_that_is_rejected_is_reported_while_the_function_runs() -> None:
    function = Function(400)
    async with listening(function, hidden_seconds=600) as bench:
        await bench.put("long")
        bench.storage.failures["hide"] = [StorageError(403, "AuthorizationFailure", "hide")]
        bench.listener.start()
        await until(lambda: not bench.storage.texts(QUEUE), 500)
    assert "could not be kept hidden (403 AuthorizationFailure): it may run once more" in bench.text


@scenario
async def test_message_that_is_delivered_again_while_it_runs_is_not_run_again() -> None:
    function = Function(1000)
    async with listening(function, hidden_seconds=600) as bench:
        await bench.put("long")
        # No renewal gets through until the message is seen again.
        bench.storage.failures["hide"] = [StorageUnavailable("away")] * 25
        bench.listener.start()
        await until(lambda: not bench.storage.texts(QUEUE), 1100)
        assert bench.storage.count("delete") == 1
    assert len(function.calls) == 1 and function.most == 1


@scenario
async def test_message_that_the_poison_queue_rejects_is_reported_and_let_go() -> None:
    function = Function(1, succeeds=False)
    async with listening(function, QueueSettings(max_dequeue_count=1)) as bench:
        await bench.put("bad")
        bench.listener.start()
        await until(lambda: function.running == 1)
        bench.storage.failures["put"] = [StorageError(403, "AuthorizationFailure", "put")]
        await asyncio.sleep(599)
        assert len(function.calls) == 1  # it is not renewed any more
        # Seen again, it is moved without another call.
        await until(lambda: bool(bench.storage.texts(f"{QUEUE}-poison")), 100)
        assert bench.storage.texts(QUEUE) == []
    assert len(function.calls) == 1
    assert "could not be moved out of queue 'given' (403 AuthorizationFailure)" in bench.text


@scenario
async def test_refusals_are_reported_once_for_each_reason_and_so_is_their_end() -> None:
    function = Function(0.01)
    refusal: list[Exception] = [StorageError(403, "AuthenticationFailed", "get")]
    missing: list[Exception] = [StorageError(404, "QueueNotFound", "get")]
    async with listening(function) as bench:
        bench.storage.failures["get"] = refusal * 3 + missing * 3 + refusal * 2
        bench.listener.start()
        await asyncio.sleep(600)
        await bench.put("late")
        await until(lambda: function.ended == 1, 100)
    text = bench.text
    assert text.count("Function f is off: ") == 2
    assert text.count("does not exist yet") == 1
    assert text.count("Function f is on: it reads queue 'given'.") == 1
    assert text.index("is off") < text.index("does not exist yet") < text.index("is on")


@scenario
async def test_service_that_is_away_is_polled_with_pauses_and_without_a_word() -> None:
    function = Function(0.01)
    async with listening(function) as bench:
        bench.storage.failures["get"] = [StorageUnavailable("away")] * 5
        bench.listener.start()
        await asyncio.sleep(1)
        assert 2 <= bench.storage.count("get") <= 5
        await bench.put("late")
        await until(lambda: function.ended == 1, 100)
    assert bench.text == ""


@scenario
async def test_stop_waits_for_short_work_and_releases_the_rest() -> None:
    function = Function(5)
    async with listening(function) as bench:
        await bench.put("short")
        bench.listener.start()
        await until(lambda: function.running == 1)
        function.seconds = 500
        await bench.put("long", "longer")
        bench.listener.wake()
        await until(lambda: function.running == 3)
        bench.listener.stop_polling()
        await bench.listener.drain(20)
        assert function.ended == 1
        assert await bench.listener.release(1) == 2
        assert len(bench.storage.visible(QUEUE)) == len(bench.storage.texts(QUEUE)) == 2
        # Nothing is fetched, renewed or run any more.
        counts = len(bench.storage.operations)
        await asyncio.sleep(2000)
        assert len(bench.storage.operations) == counts and len(function.calls) == 3


@scenario
async def test_messages_of_a_fetch_that_is_cut_off_by_the_stop_are_run_or_released() -> None:
    function = Function(500)
    async with listening(function) as bench:
        await bench.put("a", "b")
        bench.listener.start()
        await asyncio.sleep(0.0005)  # amid the fetch, which takes 0.001 s
        assert bench.storage.count("get") == 1 and not function.calls
        bench.listener.stop_polling()
        await bench.listener.drain(1)
        assert await bench.listener.release(1) == 2
        assert len(bench.storage.visible(QUEUE)) == 2


@scenario
async def test_stop_does_not_count_messages_that_the_service_does_not_take_back() -> None:
    function = Function(500)
    async with listening(function) as bench:
        await bench.put("a", "b")
        bench.listener.start()
        await until(lambda: function.running == 2)
        bench.listener.stop_polling()
        await bench.listener.drain(0)
        bench.storage.failures["hide"] = [StorageUnavailable("away")]
        assert await bench.listener.release(1) == 1


@scenario
async def test_stop_leaves_a_message_whose_function_has_ended_to_the_next_host() -> None:
    """It is done, so it is not released; its deletion was still being tried."""
    function = Function(1)
    async with listening(function) as bench:
        await bench.put("done")
        bench.storage.failures["delete"] = [StorageUnavailable("away")] * 1000
        bench.listener.start()
        await until(lambda: bench.storage.count("delete") > 2)
        bench.listener.stop_polling()
        await bench.listener.drain(1)
        assert await bench.listener.release(1) == 0
        assert bench.storage.visible(QUEUE) == []
