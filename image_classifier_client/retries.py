"""Decides when a call is retried: only transient errors, never after the deadline."""

from __future__ import annotations

import random
import time
from typing import Any

from image_classifier_client.errors import PredictionError, error_of

__all__ = ["Attempts"]

_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 5.0
# So that the callers of a server that starts again do not all come back at one moment.
_JITTER = 0.25


class Attempts:
    """The attempts of one call, from now on.

    Args:
        timeout: seconds that all of them may take together.
        retries: attempts after the first.
        target: the server's address, for the error's message.
        use_ssl: whether they are sent with TLS, likewise.
    """

    def __init__(self, timeout: float, retries: int, target: str, use_ssl: bool) -> None:
        self._timeout, self._target, self._use_ssl = timeout, target, use_ssl
        self._deadline = time.monotonic() + timeout
        self._retries = retries
        self._failed = 0
        self._pause = _FIRST_PAUSE_SECONDS

    def seconds_left(self) -> float:
        """Seconds that an attempt may take that begins now."""
        return max(0.0, self._deadline - time.monotonic())

    def pause_after(self, rpc_error: Any) -> float:
        """Seconds to wait before the next attempt.

        Args:
            rpc_error: what gRPC raised in the last one.

        Raises:
            PredictionError: there is no next one: no attempt is left, no time for it, or the
                error is not transient.
        """
        error: PredictionError = error_of(rpc_error, self._target, self._timeout, self._use_ssl)
        self._failed += 1
        error.attempts = self._failed
        jitter = random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - nobody gains by guessing it
        pause = self._pause * jitter
        if not error.transient or self._failed > self._retries or pause >= self.seconds_left():
            try:
                raise error from rpc_error
            finally:
                del error  # its traceback holds this frame, and with it the caller's request
        self._pause = min(2 * self._pause, _LONGEST_PAUSE_SECONDS)
        return pause
