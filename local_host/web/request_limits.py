"""Applies host.json's limits for HTTP requests."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager, nullcontext

from local_host.configuration.host_json import UNBOUNDED, HostFile

__all__ = ["Throttle"]


class Throttle:
    """Limits the requests of one worker process."""

    def __init__(self, host_file: HostFile) -> None:
        self._limit = host_file.max_outstanding_requests
        self._outstanding = 0
        self._turn: AbstractAsyncContextManager[object] = (
            nullcontext()
            if host_file.max_concurrent_requests == UNBOUNDED
            else asyncio.Semaphore(host_file.max_concurrent_requests)
        )

    def enter(self) -> bool:
        """Counts one more request; returns False, without counting, if the limit is reached."""
        if self._limit != UNBOUNDED and self._outstanding >= self._limit:
            return False
        self._outstanding += 1
        return True

    def leave(self) -> None:
        """Uncounts a request; call it once for each ``enter`` that returned True."""
        self._outstanding -= 1

    @property
    def turn(self) -> AbstractAsyncContextManager[object]:
        """A context that waits until fewer than ``maxConcurrentRequests`` requests run."""
        return self._turn
