"""Writes lines to the terminal in the style of ``func start``.

Writing must not block the event loop, so lines go into a queue, which a thread writes in batches:
a few hundred lines per call when the host is busy.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime

__all__ = ["Console", "route_logging_to", "use_colour", "write_to_stdout"]

GATHER_SECONDS = 0.02
COLOURS = {"red": "31", "yellow": "33", "grey": "90"}


def use_colour() -> bool:
    """Whether the terminal supports colours and NO_COLOR is not set."""
    if "NO_COLOR" in os.environ or not sys.stdout.isatty():
        return False
    return sys.platform != "win32" or "WT_SESSION" in os.environ


def write_to_stdout(text: str) -> None:
    """Writes and flushes; a reader that closes the pipe (``| head``) causes no error."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError:
        # Without this the interpreter reports the error again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Console:
    """Writes lines with time stamps. Thread-safe."""

    def __init__(self, write: Callable[[str], None], *, colour: bool = False) -> None:
        self._write = write
        self._colour = colour
        self._lines: deque[str] = deque()
        self._waiting = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="console", daemon=True)
        self._thread.start()

    def line(self, text: str, colour: str | None = None) -> None:
        """Writes ``[2026-11-20T14:20:54.571Z] text``."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")[:-6]
        self.plain(f"[{now}Z] {text}", colour)

    def plain(self, text: str, colour: str | None = None) -> None:
        """Writes the text without a time stamp."""
        if colour and self._colour:
            text = f"\x1b[{COLOURS[colour]}m{text}\x1b[0m"
        self.raw(text + "\n")

    def raw(self, text: str) -> None:
        """Writes text that already has its time stamps and line ends."""
        self._lines.append(text)
        if not self._waiting.is_set():
            self._waiting.set()

    def close(self) -> None:
        """Writes the remaining lines and ends the thread."""
        self._closing.set()
        self._waiting.set()
        self._thread.join(timeout=2)

    def _run(self) -> None:
        while not self._closing.is_set():
            self._waiting.wait()
            self._closing.wait(GATHER_SECONDS)
            # While lines keep coming the thread polls: waking it would cost the writers time.
            if not self._drain():
                self._waiting.clear()
                self._drain()  # lines that were added before the event was cleared
        self._drain()

    def _drain(self) -> bool:
        lines: list[str] = []
        while self._lines:
            lines.append(self._lines.popleft())
        if lines:
            self._write("".join(lines))
        return bool(lines)


class _ConsoleHandler(logging.Handler):
    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        try:
            is_error = record.levelno >= logging.ERROR
            is_warning = record.levelno >= logging.WARNING
            colour = "red" if is_error else "yellow" if is_warning else None
            self._console.line(self.format(record), colour)
        except Exception:
            self.handleError(record)


def route_logging_to(console: Console) -> None:
    """Shows the log records of functions as lines, from INFO on, as ``func start`` does."""
    root = logging.getLogger()
    root.addHandler(_ConsoleHandler(console))
    root.setLevel(logging.INFO)
    for noisy in ("uvicorn.error", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
