from __future__ import annotations

import random

from local_host.configuration.queue_settings import SHORTEST_POLLING_SECONDS

__all__ = ["Backoff"]


class Backoff:
    """Pauses between looks into an empty queue: random, and about twice as long each time."""

    def __init__(self, longest_seconds: float) -> None:
        self._longest = longest_seconds
        self._tries = 0

    def reset(self) -> None:
        """To be called when there was a message."""
        self._tries = 0

    def next(self) -> float:
        """The next pause, in seconds."""
        growth = (2.0**self._tries - 1) * SHORTEST_POLLING_SECONDS
        pause = min(SHORTEST_POLLING_SECONDS + growth * random.uniform(0.8, 1.2), self._longest)
        if pause < self._longest:
            self._tries += 1
        return pause
