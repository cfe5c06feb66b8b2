"""Programs run with a terminal for their standard error, where progress bars show."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Mapping, Sequence

from tests.support.servers import ROOT

__all__ = ["run_on_a_terminal"]


def run_on_a_terminal(
    command: Sequence[str], env: Mapping[str, str] | None = None
) -> tuple[bytes, bytes]:
    """Runs a command to its end, which must be a good one.

    Returns:
        What its terminal showed, and what it wrote to standard output, which is no terminal.
    """
    import pty  # neither is there on Windows
    import termios

    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 100))
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=env,
            stdout=subprocess.PIPE,
            stderr=theirs,
            timeout=60,
            check=True,
        )
        os.set_blocking(ours, False)
        shown = b""
        with contextlib.suppress(BlockingIOError, OSError):
            while piece := os.read(ours, 65536):
                shown += piece
    finally:
        os.close(ours)
        os.close(theirs)
    return shown, done.stdout
