"""Lets one process at a time install into a folder; the others wait for it.

Standard library only, and no syntax that Python 3.8 would not read: `dev.py` imports this before
anything is installed.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

__all__ = ["exclusive"]

POLL_SECONDS = 0.2


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Holds the lock of a folder for the ``with`` block. It ends with the process, too.

    The lock is a file among the temporary ones: what is installed may replace the folder.

    Args:
        folder: what is installed into; it may be missing.
    """
    user = os.getuid() if hasattr(os, "getuid") else 0
    name = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:16]
    with open(Path(tempfile.gettempdir()) / f"install-{user}-{name}.lock", "a+b") as file:
        while not _lock(file):
            time.sleep(POLL_SECONDS)
        yield  # closing the file opens the lock


def _lock(file: IO[bytes]) -> bool:
    """Takes the lock if nobody holds it."""
    try:
        if os.name == "nt":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
