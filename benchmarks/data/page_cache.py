"""Drops files from the page cache, as far as a program may without being root."""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Iterable
from pathlib import Path

from benchmarks import ROOT

__all__ = ["CAN_FORGET", "FORGOTTEN", "forget", "what_starts_read"]

CAN_FORGET = hasattr(os, "posix_fadvise")
FORGOTTEN = (
    "Cold: before each start the pages of Python's library, the packages, the app and the model "
    "were dropped from the disk cache (posix_fadvise, which needs no root). Pages that another "
    "running program has mapped stay, and so does what lies below this system: another machine's "
    "cold start can be slower."
)
OWN = ("image_classifier", "local_host")


def what_starts_read(models_dir: Path) -> list[Path]:
    """Lists the folders whose files the start of an app may read."""
    paths = sysconfig.get_paths()
    libraries = {Path(paths[name]) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    functions = [file.parent for file in ROOT.glob("*/function.json")]
    return [*sorted(libraries), *(ROOT / name for name in OWN), *functions, models_dir]


def forget(folders: Iterable[Path]) -> int:
    """Drops all files below the folders from the disk cache.

    Returns:
        How many files.
    """
    count = 0
    for folder in folders:
        for place, _, names in os.walk(folder):
            for name in names:
                count += _forget(os.path.join(place, name))
    return count


def _forget(file: str) -> bool:
    try:
        handle = os.open(file, os.O_RDONLY)
    except OSError:
        return False
    try:
        os.fdatasync(handle)  # dirty pages would stay
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True
