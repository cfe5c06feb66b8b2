"""Runs the work of a command and turns its errors and signals into a line and an exit status."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import nullcontext

from tools.shared.errors import ToolError
from tools.shared.signals import INTERRUPTED, TERMINATED, Terminated, raise_on_sigterm

__all__ = ["NO_PARTIAL_OUTPUT", "run_command"]

NO_PARTIAL_OUTPUT = "Stopped. No partial output was written."


def run_command(
    main: Callable[[], int | None],
    *,
    prefix: str = "error",
    errors: tuple[type[Exception], ...] = (ToolError,),
    show: Callable[[Exception], str] = str,
    stopped: str | None = None,
    terminated: int = TERMINATED,
) -> int:
    """Runs a command to its end, or until it fails or is stopped.

    Args:
        main: the work; it returns the exit status, or None for 0.
        prefix: stands before the sentence on standard error.
        errors: the exceptions whose message is such a sentence.
        show: makes a message fit to be printed.
        stopped: the line printed after Ctrl+C or SIGTERM, for work that cleans up after itself.
            None: Ctrl+C ends the command without a line, and SIGTERM ends the process as usual.
        terminated: the exit status after SIGTERM.

    Returns:
        The exit status: 1 after an error, 130 after Ctrl+C.
    """
    try:
        with nullcontext() if stopped is None else raise_on_sigterm():
            return main() or 0
    except errors as exc:
        print(f"{prefix}: {show(exc)}" if prefix else show(exc), file=sys.stderr)
        return 1
    except Terminated:
        status = terminated
    except KeyboardInterrupt:
        status = INTERRUPTED
    if stopped is not None:
        print(stopped, file=sys.stderr)
    return status
