"""Ctrl+C, and SIGTERM (an ended session, a container), for commands that clean up after them."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from types import FrameType

__all__ = ["INTERRUPTED", "TERMINATED", "stoppable"]

# As shells count: 128, and the number of the signal.
INTERRUPTED = 130
TERMINATED = 143


class _Terminated(KeyboardInterrupt):
    """SIGTERM has come."""


def _terminate(number: int, frame: FrameType | None) -> None:
    raise _Terminated


def stoppable(main: Callable[[], int]) -> int:
    """Runs a command to its end, or until it is stopped, in one line.

    Returns:
        Its exit status.
    """
    signal.signal(signal.SIGTERM, _terminate)
    try:
        return main()
    except _Terminated:
        status = TERMINATED
    except KeyboardInterrupt:
        status = INTERRUPTED
    print("stopped: what it writes is there as a whole or not at all.", file=sys.stderr)
    return status
