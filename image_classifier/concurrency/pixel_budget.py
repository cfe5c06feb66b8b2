"""Bounds the pixels that are in memory at once, however many requests arrive together."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from image_classifier.errors import TooManyRequests

__all__ = ["PixelBudget"]


class PixelBudget:
    """Grants room for decoded pixels, first come, first served.

    A decoded pixel takes 4 bytes, and about 8 more at most while it is decoded, turned or
    converted: 50 million of them take 200 to 560 MB. An image that waits costs little next to
    that: only its encoded file is held.

    Args:
        limit: pixels at once. An image larger than this alone still gets its turn, by itself.
        wait_seconds: how long an image waits for room before the request is refused.
    """

    def __init__(self, limit: int, *, wait_seconds: float = 30.0) -> None:
        self._limit = limit
        self._wait_seconds = wait_seconds
        self._used = 0
        self._queue: deque[object] = deque()
        self._changed = threading.Condition()

    @property
    def used(self) -> int:
        """Pixels that have room now."""
        return self._used

    @property
    def waiting(self) -> int:
        """Images that wait for room."""
        return len(self._queue)

    @contextmanager
    def reserve(self, pixels: int) -> Iterator[None]:
        """Holds room for an image while the ``with`` block runs.

        Raises:
            TooManyRequests: there was no room for ``wait_seconds``.
        """
        with self._changed:
            if self._queue or not self._has_room(pixels):
                self._wait_for_room(pixels)
            self._used += pixels
        try:
            yield
        finally:
            with self._changed:
                self._used -= pixels
                self._changed.notify_all()

    def _wait_for_room(self, pixels: int) -> None:
        ticket = object()
        deadline = time.monotonic() + self._wait_seconds
        self._queue.append(ticket)
        try:
            while not (self._queue[0] is ticket and self._has_room(pixels)):
                if not self._changed.wait(deadline - time.monotonic()):
                    raise TooManyRequests(
                        f"For {self._wait_seconds:g} s the app has been decoding as many images as "
                        "its memory allows (MAX_IMAGE_PIXELS). Try again a little later."
                    )
        finally:
            self._queue.remove(ticket)
            self._changed.notify_all()  # the next in the queue may fit beside this one

    def _has_room(self, pixels: int) -> bool:
        return self._used == 0 or self._used + pixels <= self._limit
