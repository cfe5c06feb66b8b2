"""Limits the rate of all threads together, and pauses when a server demands it."""

from __future__ import annotations

import threading
import time

__all__ = ["RateLimit", "StoppedError"]


class StoppedError(Exception):
    """The run was stopped while a thread waited for its turn."""


class RateLimit:
    """Gives a limited number of turns a second.

    Both endpoints share one limit: both get each image at the same time, so that neither has more
    work at once than the other.

    Args:
        rate: turns a second.
    """

    def __init__(self, rate: float) -> None:
        self._gap = 1 / rate
        self._lock = threading.Lock()
        self._next = time.monotonic()
        self._stop = threading.Event()

    @property
    def stopped(self) -> bool:
        """Whether there are no more turns."""
        return self._stop.is_set()

    def stop(self) -> None:
        """Gives no more turns."""
        self._stop.set()

    def turn(self) -> None:
        """Waits for a turn.

        Raises:
            StoppedError: there are no more turns.
        """
        while True:
            with self._lock:
                now = time.monotonic()
                wait = self._next - now
                if wait <= 0 and not self.stopped:
                    # Unused turns are lost, so that the rate is never exceeded.
                    self._next = now + self._gap
                    return
            # A hold may arrive during the wait, so the time is checked again.
            self.sleep(wait)

    def hold(self, seconds: float) -> None:
        """Gives no turn for so many seconds."""
        with self._lock:
            self._next = max(self._next, time.monotonic() + seconds)

    def sleep(self, seconds: float) -> None:
        """Waits.

        Raises:
            StoppedError: the run was stopped.
        """
        if self._stop.wait(max(0.0, seconds)):
            raise StoppedError
