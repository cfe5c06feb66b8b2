"""Distributes the calls for queue messages to the worker processes."""

from __future__ import annotations

import asyncio
import itertools

from local_host.processes.worker_handle import WorkerHandle
from local_host.queues.message import QueueCall, WorkerGone

__all__ = ["WorkerPool"]


class WorkerPool:
    """The ready workers; each call goes to the worker with the fewest calls."""

    def __init__(self) -> None:
        self._calls: dict[WorkerHandle, dict[int, asyncio.Future[bool]]] = {}
        self._numbers = itertools.count(1)
        self._any = asyncio.Event()

    def add(self, worker: WorkerHandle) -> None:
        """Adds a worker that is ready."""
        self._calls[worker] = {}
        self._any.set()

    def remove(self, worker: WorkerHandle) -> None:
        """Removes a worker that has died; its calls raise WorkerGone."""
        for future in self._calls.pop(worker, {}).values():
            if not future.done():
                future.set_exception(WorkerGone())
        if not self._calls:
            self._any.clear()

    def on_called(self, worker: WorkerHandle, number: int, succeeded: bool) -> None:
        """Records the result of a call."""
        future = self._calls.get(worker, {}).get(number)
        if future is not None and not future.done():
            future.set_result(succeeded)

    async def ready(self) -> None:
        """Returns when a worker is ready."""
        await self._any.wait()

    async def call_function(self, call: QueueCall) -> bool:
        """Sends the call to a worker and waits for its result.

        Returns:
            whether the function succeeded.

        Raises:
            WorkerGone: the worker died during the call.
        """
        await self.ready()
        worker = min(self._calls, key=lambda one: len(self._calls[one]))
        calls, number = self._calls[worker], next(self._numbers)
        calls[number] = asyncio.get_running_loop().create_future()
        worker.send("call", number, call)
        try:
            return await calls[number]
        finally:
            del calls[number]
