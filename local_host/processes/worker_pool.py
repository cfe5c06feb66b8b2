from __future__ import annotations

import asyncio
import itertools

from local_host.processes.worker_handle import WorkerHandle
from local_host.queues.message import QueueCall, WorkerGone

__all__ = ["WorkerPool"]


class WorkerPool:
    """The workers that are ready: hands each call to the one that has the fewest."""

    def __init__(self) -> None:
        self._calls: dict[WorkerHandle, dict[int, asyncio.Future[bool]]] = {}
        self._numbers = itertools.count(1)
        self._any = asyncio.Event()

    def add(self, worker: WorkerHandle) -> None:
        """A worker is ready."""
        self._calls[worker] = {}
        self._any.set()

    def remove(self, worker: WorkerHandle) -> None:
        """A worker is gone, and with it the calls that it had."""
        for future in self._calls.pop(worker, {}).values():
            if not future.done():
                future.set_exception(WorkerGone())
        if not self._calls:
            self._any.clear()

    def on_called(self, worker: WorkerHandle, number: int, succeeded: bool) -> None:
        """A call has ended."""
        future = self._calls.get(worker, {}).get(number)
        if future is not None and not future.done():
            future.set_result(succeeded)

    async def ready(self) -> None:
        """Returns when a worker is ready."""
        await self._any.wait()

    async def call_function(self, call: QueueCall) -> bool:
        """Has a worker make the call; True when all went well.

        Raises:
            WorkerGone: the worker died meanwhile.
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
