"""Binds worker processes to cores."""

from __future__ import annotations

import os

__all__ = ["can_pin", "pin_to_core"]


def can_pin(workers: int) -> bool:
    """Whether each of ``workers`` processes can have its own core on this machine."""
    return hasattr(os, "sched_setaffinity") and workers <= len(os.sched_getaffinity(0))


def pin_to_core(number: int) -> None:
    """Binds this process, with its future threads, to one of its available cores.

    Args:
        number: 1 for the first core.
    """
    os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[number - 1]})
