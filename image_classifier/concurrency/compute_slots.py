"""Runs as many computations at once as there are cores, first come, first served.

More computing threads than cores do not finish sooner: they only interrupt each other, and the
thread that is interrupted most makes its caller wait longest. Threads that wait for a download cost
nothing, so there may be many of them; only for computing do they take turns.

A caller that finds a free slot runs its job itself. Otherwise the job is queued, and a thread that
already holds a slot runs it next: to wake each caller when its turn comes would leave the core idle
until that thread runs, which was measured to cost an eighth of the throughput.
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
    """A queued computation and, later, its result."""

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
    """A number of slots, granted in the order in which threads ask for them.

    Args:
        count: slots.
    """

    def __init__(self, count: int) -> None:
        self._free = count
        self._lock = threading.Lock()
        self._queue: deque[_Job[object]] = deque()
        # One for each thread that waits for a slot to be handed to it.
        self._idle: list[threading.Lock] = []

    @property
    def free(self) -> int:
        """Slots in which nothing runs."""
        return self._free

    @property
    def waiting(self) -> int:
        """Jobs that wait for a slot."""
        return len(self._queue)

    @property
    def idle_threads(self) -> int:
        """Threads that were started for queued jobs, and have none."""
        return len(self._idle)

    def run_in_slot(self, work: Callable[[], T]) -> T:
        """Runs a computation when its turn comes, in this thread or in another.

        Raises:
            BaseException: whatever the computation raised.
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
            self._hand_over()

    def _hand_over(self) -> None:
        """Hands a slot to a thread that runs the queued jobs; frees it if there are none."""
        with self._lock:
            if not self._queue:
                self._free += 1
                return
            turn = self._idle.pop() if self._idle else None
        if turn is not None:
            turn.release()
        else:
            threading.Thread(target=self._run_jobs, name="compute", daemon=True).start()

    def _run_jobs(self) -> None:
        """Holds a slot and runs job after job; rests without a slot when no job is left."""
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
