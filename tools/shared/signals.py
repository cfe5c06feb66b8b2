"""Turns SIGTERM (the end of a session or a container) into an exception, as Ctrl+C is one."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["INTERRUPTED", "TERMINATED", "Terminated", "raise_on_sigterm"]

# Exit statuses as shells count them: 128 plus the number of the signal.
INTERRUPTED = 130
TERMINATED = 143


class Terminated(KeyboardInterrupt):
    """The process received SIGTERM. Code that cleans up after Ctrl+C also cleans up after this."""


@contextmanager
def raise_on_sigterm() -> Iterator[None]:
    """Raises ``Terminated`` when SIGTERM arrives inside the ``with`` block."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set handlers, and only it receives signals
        return
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Terminated
