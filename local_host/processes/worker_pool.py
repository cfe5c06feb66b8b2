from __future__ import annotations

import asyncio
import itertools

from local_host.processes.worker_handle import WorkerHandle
from local_host.queues.message import QueueCall
from local_host.queues.runner import WorkerGone

__all__ = ["WorkerPool"]


class WorkerPool:
    """The workers that are ready: hands each call to the one that has the fewest."""

    def __init__(self) -> None:
        self._calls: dict[WorkerHandle, dict[int, asyncio.Future[bool]]] = {}
        self._numbers = itertools.count(1)
        self._any = asyncio.Event()

    def join(self, child: WorkerHandle) -> None:
        """A worker is ready."""
        self._calls[child] = {}
        self._any.set()

    def leave(self, child: WorkerHandle) -> None:
        """A worker is gone, and with it the calls that it had."""
        for future in self._calls.pop(child, {}).values():
            if not future.done():
                future.set_exception(WorkerGone())
        if not self._calls:
            self._any.clear()

    def on_called(self, child: WorkerHandle, number: int, succeeded: bool) -> None:
        """A call has ended."""
        future = self._calls.get(child, {}).get(number)
        if future is not None and not future.done():
            future.set_result(succeeded)

    async def ready(self) -> None:
        """Returns when a worker is ready."""
        await self._any.wait()

    async def run(self, call: QueueCall) -> bool:
        """Has a worker make the call; True when all went well.

        Raises:
            WorkerGone: the worker died meanwhile.
        """
        await self.ready()
        child = min(self._calls, key=lambda one: len(self._calls[one]))
        calls, number = self._calls[child], next(self._numbers)
        calls[number] = asyncio.get_running_loop().create_future()
        child.send("call", number, call)
        try:
            return await calls[number]
        finally:
            del calls[number]
