"""Whose turn it is: a rate for all threads together, and pauses that a server asks for."""

from __future__ import annotations

import threading
import time

__all__ = ["Pace", "StoppedError"]


class StoppedError(Exception):
    """Somebody waited and all was stopped meanwhile."""


class Pace:
    """Gives turns, so many a second at most.

    Both endpoints share one: what is asked of both at the same time is slowed down for both, so
    that neither gets more to do at once than the other.
    """

    def __init__(self, rate: float) -> None:
        self._gap = 1 / rate
        self._lock = threading.Lock()
        self._next = time.monotonic()
        self._stop = threading.Event()

    @property
    def stopped(self) -> bool:
        return self._stop.is_set()

    def stop(self) -> None:
        """Gives no more turns."""
        self._stop.set()

    def turn(self) -> None:
        """Waits for a turn.

        Raises:
            StoppedError: there are none any more.
        """
        while True:
            with self._lock:
                now = time.monotonic()
                wait = self._next - now
                if wait <= 0 and not self.stopped:
                    # Turns that nobody took are not made up for: never more than the rate.
                    self._next = now + self._gap
                    return
            # A hold may come meanwhile, so the clock is asked again after.
            self.sleep(wait)

    def hold(self, seconds: float) -> None:
        """Gives nobody a turn for so long."""
        with self._lock:
            self._next = max(self._next, time.monotonic() + seconds)

    def sleep(self, seconds: float) -> None:
        """Lets time pass.

        Raises:
            StoppedError: it is over.
        """
        if self._stop.wait(max(0.0, seconds)):
            raise StoppedError
