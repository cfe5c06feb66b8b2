"""Copies files from sources of models (zip files and folders), none of which is trusted."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, Protocol

from tools.shared.errors import ToolError

__all__ = ["MOST_BYTES", "MOST_FILES", "Source", "copy_file", "damaged", "read_text"]

# The largest model of Custom Vision has a few hundred MB, a Docker export about twenty files.
MOST_BYTES = 2 * 1024**3
MOST_FILES = 10_000

_CHUNK_BYTES = 1024**2
_MODE = 0o644  # before the umask; the modes of an export are ignored


class Source(Protocol):
    """A zip file or a folder, opened for reading only.

    Attributes:
        name: of the source in messages.
        sizes: bytes of each file, by its path in the source with ``/`` between the parts. At most
            MOST_FILES.
    """

    name: str
    sizes: Mapping[str, int]

    def open(self, path: str) -> AbstractContextManager[BinaryIO]:
        """Opens one of the files for reading.

        Raises:
            ToolError: the file cannot be opened, or fails while it is read.
        """
        ...

    def link(self, path: str, target: Path) -> bool:
        """Makes a hard link to one of the files, which saves a copy of it.

        Returns:
            Whether there is a link now; if not, the file must be copied.
        """
        ...


def damaged(path: str) -> ToolError:
    """The error about a file whose bytes are not those that the source states."""
    return ToolError(f"{path} is damaged or cut short. Download the export again.")


def copy_file(source: Source, path: str, target: Path) -> str:
    """Copies one file, piece by piece, to a new path.

    Returns:
        The SHA-1 of the file, as hexadecimal digits.

    Raises:
        ToolError: the file cannot be read or written, or has more or fewer bytes than stated.
    """
    digest = hashlib.sha1(usedforsecurity=False)
    left = source.sizes[path]
    with source.open(path) as file, _create(target) as copy:
        while chunk := file.read(min(_CHUNK_BYTES, left + 1)):
            left -= len(chunk)
            if left < 0:
                break
            digest.update(chunk)
            _write(copy, chunk, target)
    if left:
        raise damaged(path)
    return digest.hexdigest()


def read_text(source: Source, path: str, *, most_bytes: int) -> str:
    """Reads a small text file in UTF-8, with or without BOM.

    Raises:
        ToolError: the file cannot be read, is too large or is not UTF-8.
    """
    if source.sizes[path] > most_bytes:
        raise ToolError(
            f"{path} has {source.sizes[path]:,} bytes; at most {most_bytes:,} are read. Export the "
            "iteration again."
        )
    with source.open(path) as file:
        data = file.read(most_bytes + 1)
    if len(data) != source.sizes[path]:
        raise damaged(path)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise ToolError(f"{path} is no UTF-8 text. Export the iteration again.") from exc


def _create(target: Path) -> BinaryIO:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        return open(target, "xb", opener=lambda path, flags: os.open(path, flags, _MODE))
    except OSError as exc:
        raise _cannot_write(target, exc) from exc


def _write(file: BinaryIO, chunk: bytes, target: Path) -> None:
    try:
        file.write(chunk)
        file.flush()  # now: a later error of a full disk would be blamed on the export
    except OSError as exc:
        raise _cannot_write(target, exc) from exc


def _cannot_write(target: Path, exc: OSError) -> ToolError:
    return ToolError(f"{target.name} cannot be written: {exc.strerror}.")
