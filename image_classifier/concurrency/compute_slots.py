"""Lets as many images be computed at once as there are cores, first come, first served.

Threads that compute do not get faster by being many: they only interrupt each other, and who is
interrupted most waits longest. Threads that wait for a download cost nothing, so there may be many
of them; only for computing do they take turns.

Who comes while a slot is free computes by itself. Who comes later leaves the work to a thread that
has a slot and goes from one work to the next: to wake each thread when its turn comes would leave
the core idle until it runs, which was measured to cost an eighth of the throughput.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["ComputeSlots", "usable_cores"]

T = TypeVar("T")


def usable_cores() -> int:
    """The cores that this process may run on; fewer than the machine has where it is pinned."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _Job(Generic[T]):
    """Work that somebody waits for."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._result: T
        self._error: BaseException | None = None
        self._done = threading.Lock()
        self._done.acquire()

    def do(self) -> None:
        try:
            self._result = self._work()
        except BaseException as exc:
            self._error = exc
        finally:
            del self._work  # with all that it holds, such as pixels
            self._done.release()

    def wait(self) -> T:
        self._done.acquire()
        if self._error is not None:
            try:
                raise self._error
            finally:
                self._error = None  # its traceback holds this frame
        return self._result


class ComputeSlots:
    """A number of slots, given out in the order in which threads asked.

    Args:
        count: slots.
    """

    def __init__(self, count: int) -> None:
        self._free = count
        self._lock = threading.Lock()
        self._queue: deque[_Job[object]] = deque()
        # One for each thread that waits for a slot to be given to it.
        self._idle: list[threading.Lock] = []

    def run(self, work: Callable[[], T]) -> T:
        """Does the work when it is its turn, here or in another thread, and gives its result.

        Raises:
            BaseException: what the work raised.
        """
        with self._lock:
            job = None
            if self._free:
                self._free -= 1
            else:
                job = _Job(work)
                self._queue.append(job)  # type: ignore[arg-type]
        if job is not None:
            return job.wait()
        try:
            return work()
        finally:
            self._give_back()

    def _give_back(self) -> None:
        """Gives a slot to a thread that goes on with it, if there is work left."""
        with self._lock:
            if not self._queue:
                self._free += 1
                return
            turn = self._idle.pop() if self._idle else None
        if turn is not None:
            turn.release()
        else:
            threading.Thread(target=self._go_on, name="compute", daemon=True).start()

    def _go_on(self) -> None:
        """Has a slot; goes from work to work, and rests without a slot when none is left."""
        turn = threading.Lock()
        turn.acquire()
        while True:
            with self._lock:
                job = self._queue.popleft() if self._queue else None
                if job is None:
                    self._free += 1
                    self._idle.append(turn)
            if job is None:
                turn.acquire()
            else:
                job.do()
                del job
