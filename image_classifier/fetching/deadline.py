"""Measures the time that is left for a download."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["Clock", "Deadline"]

#: Seconds that only ever increase, as ``time.monotonic`` counts them.
Clock = Callable[[], float]


class Deadline:
    """The end of a download, for all of its parts together.

    Args:
        seconds: from now.
        clock: tests bring one of their own.
    """

    def __init__(self, seconds: float, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._ends = clock() + seconds

    @property
    def remaining(self) -> float:
        """Seconds until the end; zero or less when it has passed."""
        return self._ends - self._clock()

    def seconds_left(self) -> float:
        """Seconds until the end.

        Raises:
            TimeoutError: the end has passed.
        """
        remaining = self.remaining
        if remaining <= 0:
            raise TimeoutError("the time for the download is over")
        return remaining
