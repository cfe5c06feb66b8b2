"""Folders that a command is given, for those that write to disks only."""

from __future__ import annotations

import argparse
from pathlib import Path

__all__ = ["local_folder"]


def local_folder(text: str) -> Path:
    """What a command's option names as its folder; for ``type`` of argparse.

    A path swallows one of the slashes: without this, a folder ``azure:/models`` would be made.
    """
    if "://" in text:
        raise argparse.ArgumentTypeError(
            f"{text} is no folder on a disk: name one, and then use `python -m tools.models "
            "register` (or `convert`), which takes such an address"
        )
    return Path(text)
