"""Lets as many images be computed at once as there are cores, first come, first served.

Threads that compute do not get faster by being many: they only interrupt each other, and who is
interrupted most waits longest. Threads that wait for a download cost nothing, so there may be many
of them; only for computing do they take turns.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["ComputeSlots", "usable_cores"]


def usable_cores() -> int:
    """The cores that this process may run on; fewer than the machine has where it is pinned."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class ComputeSlots:
    """A number of slots, handed on in the order in which threads asked.

    Python's semaphores do not keep that order: who happens to run takes what has just been given
    back, and who was woken for it waits anew.

    Args:
        count: slots.
    """

    def __init__(self, count: int) -> None:
        self._free = count
        self._lock = threading.Lock()
        self._queue: deque[threading.Lock] = deque()

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Waits for a slot and holds it as long as the ``with`` block runs."""
        self._take()
        try:
            yield
        finally:
            self._give_back()

    def _take(self) -> None:
        with self._lock:
            if self._free:
                self._free -= 1
                return
            turn = threading.Lock()
            turn.acquire()
            self._queue.append(turn)
        turn.acquire()  # released by whoever hands its slot on

    def _give_back(self) -> None:
        with self._lock:
            if self._queue:
                self._queue.popleft().release()
            else:
                self._free += 1
