from __future__ import annotations

from typing import Protocol

from local_host.queues.message import QueueCall

__all__ = ["Runner", "WorkerGone"]


class WorkerGone(Exception):
    """The process died before the call ended; nobody knows how far it got."""


class Runner(Protocol):
    """Who calls functions."""

    async def ready(self) -> None:
        """Returns when there is a process that can take a call."""

    async def run(self, call: QueueCall) -> bool:
        """Makes the call, outputs included; True when all went well.

        Raises:
            WorkerGone: the process died.
        """
