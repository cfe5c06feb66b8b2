"""Paces the requests to a storage service: pauses between polls and between retries."""

from __future__ import annotations

import random
from collections.abc import Iterator

from local_host.configuration.queue_settings import SHORTEST_POLLING_SECONDS

__all__ = ["Backoff", "retry_pauses"]

FIRST_RETRY_SECONDS = 0.1
LONGEST_RETRY_SECONDS = 2.0


class Backoff:
    """Pauses between requests to an empty queue: random, and about twice as long each time."""

    def __init__(self, longest_seconds: float) -> None:
        self._longest = longest_seconds
        self._tries = 0

    def reset(self) -> None:
        """Starts again with the shortest pause; call it after a message arrived."""
        self._tries = 0

    def next(self) -> float:
        """Returns the next pause, in seconds."""
        growth = (2.0**self._tries - 1) * SHORTEST_POLLING_SECONDS
        pause = min(SHORTEST_POLLING_SECONDS + growth * random.uniform(0.8, 1.2), self._longest)
        if pause < self._longest:
            self._tries += 1
        return pause


def retry_pauses() -> Iterator[float]:
    """Yields the pauses before the retries of one change, in seconds, without end."""
    pause = FIRST_RETRY_SECONDS
    while True:
        yield pause
        pause = min(2 * pause, LONGEST_RETRY_SECONDS)
