"""Parses arguments that several commands have."""

from __future__ import annotations

import argparse
from pathlib import Path

__all__ = ["local_folder"]


def local_folder(text: str) -> Path:
    """Parses a folder on a disk and refuses addresses; for ``type`` of argparse.

    ``Path`` drops one of the slashes: without this check, a folder ``azure:/models`` would be made.
    """
    if "://" in text:
        raise argparse.ArgumentTypeError(
            f"{text} is no folder on a disk: name one, and then use `python -m tools.models "
            "register` (or `convert`), which takes such an address"
        )
    return Path(text)
