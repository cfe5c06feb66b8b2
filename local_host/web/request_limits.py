from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager, nullcontext

from local_host.configuration.host_json import UNBOUNDED, HostFile

__all__ = ["Throttle"]


class Throttle:
    """host.json's HTTP limits. Each worker process counts its own requests."""

    def __init__(self, host_file: HostFile) -> None:
        self._most = host_file.max_outstanding_requests
        self._outstanding = 0
        self._turn: AbstractAsyncContextManager[object] = (
            nullcontext()
            if host_file.max_concurrent_requests == UNBOUNDED
            else asyncio.Semaphore(host_file.max_concurrent_requests)
        )

    def enter(self) -> bool:
        """Counts one more request; False, and nothing counted, when there is no room for it."""
        if self._most != UNBOUNDED and self._outstanding >= self._most:
            return False
        self._outstanding += 1
        return True

    def leave(self) -> None:
        """To be called once for each ``enter`` that was true."""
        self._outstanding -= 1

    @property
    def turn(self) -> AbstractAsyncContextManager[object]:
        """Enter it to wait for a free place among the requests that run at once."""
        return self._turn
