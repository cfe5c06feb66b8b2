"""Writes what functions put out. There is one for all processes, where polling is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from local_host.bindings.outputs import Write

__all__ = ["OutputWriter", "OutputFailed"]

OutputWriter = Callable[[Sequence[Write]], Awaitable[None]]


class OutputFailed(Exception):
    """An output could not be written, so the call has failed."""
