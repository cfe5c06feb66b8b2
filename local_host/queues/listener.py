"""Polls one queue and has its function called for each message.

As in the real host: fetch a batch, fetch again when few enough messages run, wait longer and longer
while the queue is empty. The FunctionCaller chooses the process for each call.
"""

from __future__ import annotations

import asyncio
import contextlib

from local_host.configuration.queue_settings import QueueSettings
from local_host.console import Console
from local_host.queues.backoff import Backoff
from local_host.queues.lease import Lease
from local_host.queues.message import FunctionCaller, RawMessage
from local_host.queues.processor import QueueProcessor
from local_host.queues.queue_target import QueueTarget
from local_host.queues.storage_client import StorageError, StorageQueues, StorageUnavailable

__all__ = ["QueueListener"]

# As in the real host. Renewed at half time for as long as the function runs.
HIDDEN_SECONDS = 600
LONGEST_RENEWAL_PAUSE_SECONDS = 15.0


class QueueListener:
    """Reads one queue for one function, from ``start`` to ``stop_polling`` and ``drain``."""

    def __init__(
        self,
        function: str,
        target: QueueTarget,
        settings: QueueSettings,
        storage: StorageQueues,
        caller: FunctionCaller,
        console: Console,
        *,
        polling_seconds: float,
        hidden_seconds: int = HIDDEN_SECONDS,
    ) -> None:
        self._function = function
        self._target = target
        self._settings = settings
        self._storage = storage
        self._caller = caller
        self._console = console
        self._processor = QueueProcessor(function, target, settings, storage, caller, console)
        self._backoff = Backoff(polling_seconds)
        self._hidden_seconds = hidden_seconds
        # All messages that this host holds, by message id.
        self._leases: dict[str, Lease] = {}
        self._running = 0
        self._room = asyncio.Event()
        self._wake = asyncio.Event()
        self._reported_code: str | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._unfinished: list[Lease] = []
        self._fetching: asyncio.Task[list[Lease]] | None = None

    @property
    def target(self) -> QueueTarget:
        """The queue of the trigger."""
        return self._target

    def start(self) -> None:
        """Starts to read, on the running loop."""
        self._polling = asyncio.create_task(self._poll())
        self._renewing = asyncio.create_task(self._renew())

    def wake(self) -> None:
        """Polls the queue now."""
        self._backoff.reset()
        self._wake.set()

    def stop_polling(self) -> None:
        """Stops fetching; running messages continue."""
        self._polling.cancel()

    async def drain(self, seconds: float) -> None:
        """Waits at most ``seconds`` for the running messages to end, and cancels the rest."""
        if self._fetching is not None:
            await asyncio.wait({self._fetching, *self._tasks}, timeout=seconds)
            self._fetching.cancel()
        self._unfinished = [lease for lease in self._leases.values() if not lease.is_done]
        tasks = [self._polling, self._renewing, *self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def release(self, seconds: float) -> int:
        """Releases the messages that had not ended; call it last, when nothing can run any more.

        Returns:
            the number of released messages.
        """
        releases = (lease.try_release() for lease in self._unfinished)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                return sum(await asyncio.gather(*releases))
        return 0

    async def _poll(self) -> None:
        while True:
            await self._wait_for_room()
            await self._caller.ready()
            self._wake.clear()
            # Shielded: the messages of a fetch must be run or released.
            self._fetching = asyncio.create_task(self._fetch())
            leases = await asyncio.shield(self._fetching)
            for lease in leases:
                task = asyncio.create_task(self._handle(lease))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            if leases:
                self._backoff.reset()
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._backoff.next()):
                    await self._wake.wait()

    async def _wait_for_room(self) -> None:
        while self._running > self._settings.threshold:
            self._room.clear()
            await self._room.wait()

    async def _fetch(self) -> list[Lease]:
        queue = self._target.queue
        try:
            messages = await self._storage.get(
                queue, self._settings.batch_size, self._hidden_seconds
            )
        except StorageUnavailable:
            return []  # the StorageMonitor reports it
        except StorageError as exc:
            self._report_refusal(exc)
            return []
        if self._reported_code is not None:
            self._reported_code = None
            self._console.line(f"Function {self._function} is on: it reads queue '{queue}'.")
        return [lease for message in messages if (lease := self._take(message))]

    def _take(self, message: RawMessage) -> Lease | None:
        lease = self._leases.get(message.id)
        if lease is not None:
            lease.adopt(message)
            return None
        lease = Lease(self._storage, self._target.queue, message, self._hidden_seconds)
        self._leases[message.id] = lease
        self._running += 1
        return lease

    async def _handle(self, lease: Lease) -> None:
        try:
            try:
                outcome = await self._processor.process(lease)
            finally:
                self._running -= 1
                self._room.set()
            lease.is_done = True
            await self._processor.settle(lease, outcome)
        except StorageError as exc:
            self._console.line(
                f"Message {lease.message.id} could not be moved out of queue "
                f"'{self._target.queue}' ({exc.status} {exc.code}): it will be delivered again.",
                "red",
            )
        finally:
            self._leases.pop(lease.message.id, None)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(min(self._hidden_seconds / 8, LONGEST_RENEWAL_PAUSE_SECONDS))
            await asyncio.gather(*(self._renew_one(lease) for lease in self._leases.values()))

    async def _renew_one(self, lease: Lease) -> None:
        try:
            await lease.renew_if_due()
        except StorageUnavailable:
            pass  # the next round tries again
        except StorageError as exc:
            if not lease.is_done:
                self._console.line(
                    f"Message {lease.message.id} in queue '{self._target.queue}' could not be kept "
                    f"hidden ({exc.status} {exc.code}): it may run once more.",
                    "yellow",
                )

    def _report_refusal(self, error: StorageError) -> None:
        if error.code == self._reported_code:
            return
        self._reported_code = error.code
        queue, account = self._target.queue, self._target.account
        if error.code == "QueueNotFound":
            text = (
                f"Function {self._function} waits for queue '{queue}', which does not exist yet at "
                f"{account.endpoint}. The first message creates it; the host keeps polling."
            )
        else:
            text = (
                f"Function {self._function} is off: {account.endpoint} refuses to read queue "
                f"'{queue}' ({error.status} {error.code}). Is {account.setting} right? The host "
                "keeps trying."
            )
        self._console.line(text, "yellow")
