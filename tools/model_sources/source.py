"""Where an export is read from: a zip file or a folder, neither of them trusted."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, Protocol

from tools.model_sources.messages import AddError

__all__ = ["MOST_BYTES", "MOST_FILES", "Source", "copy_file", "damaged", "read_text"]

# The largest of Custom Vision's models has a few hundred MB; a Docker export some twenty files.
MOST_BYTES = 2 * 1024**3
MOST_FILES = 10_000

_CHUNK_BYTES = 1024**2
_MODE = 0o644  # less what the umask takes away; an export's own modes count for nothing


class Source(Protocol):
    """An export that is only read from.

    Attributes:
        name: what messages call it.
        sizes: bytes of each file, by its path in the export with ``/`` between the parts. At most
            MOST_FILES.
    """

    name: str
    sizes: Mapping[str, int]

    def open(self, path: str) -> AbstractContextManager[BinaryIO]:
        """Opens one of the files for reading.

        Raises:
            AddError: it cannot be read, also while it is being read.
        """
        ...


def damaged(path: str) -> AddError:
    """What is said of a file that is not what the export says it is."""
    return AddError(f"{path} is damaged or cut short. Download the export again.")


def copy_file(source: Source, path: str, target: Path) -> str:
    """Copies one file, piece by piece, to a path that is not there yet.

    Returns:
        Its SHA-1, as hexadecimal digits.

    Raises:
        AddError: it cannot be read or written, or has not as many bytes as it should have.
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
    """Reads a small text: UTF-8 with or without BOM.

    Raises:
        AddError: it cannot be read, is too large or no UTF-8.
    """
    if source.sizes[path] > most_bytes:
        raise AddError(
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
        raise AddError(f"{path} is no UTF-8 text. Export the iteration again.") from exc


def _create(target: Path) -> BinaryIO:
    try:
        target.parent.mkdir(exist_ok=True)
        return open(target, "xb", opener=lambda path, flags: os.open(path, flags, _MODE))
    except OSError as exc:
        raise _cannot_write(target, exc) from exc


def _write(file: BinaryIO, chunk: bytes, target: Path) -> None:
    try:
        file.write(chunk)
        file.flush()  # here, so that a full disk is not taken for a damaged export
    except OSError as exc:
        raise _cannot_write(target, exc) from exc


def _cannot_write(target: Path, exc: OSError) -> AddError:
    return AddError(f"{target.name} cannot be written: {exc.strerror}.")
