"""Checks the directory of a zip file and refuses what no honest one has."""

from __future__ import annotations

import re
import stat
import unicodedata
import zipfile
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from tools.model_sources.source import MOST_BYTES, MOST_FILES
from tools.shared.errors import ToolError

__all__ = ["checked_sizes"]

_ENCRYPTED = 0x1 | 0x40 | 0x2000  # strong encryption and an encrypted directory, too
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_LOCAL_HEADER_BYTES = 30

# Deflate expands up to 1000-fold. Weights shrink by a tenth; texts, which are short, to a tenth.
_MOST_RATIO = 200
_SMALL_BYTES = 1024**2

_LONGEST_PATH = 1000
_DRIVE = re.compile(r"[A-Za-z]:")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def checked_sizes(name: str, archive: zipfile.ZipFile, file: BinaryIO) -> dict[str, int]:
    """Checks every entry of a zip file.

    Args:
        name: of the zip file, for messages.
        archive: the zip file.
        file: the same, to read headers from.

    Returns:
        The bytes of each file, by its path.

    Raises:
        ToolError: an entry is one that no export has.
        zipfile.BadZipFile: an entry is not at the offset that the directory states.
    """
    entries = archive.infolist()
    if len(entries) > MOST_FILES:
        raise ToolError(f"{name} has {len(entries):,} files; at most {MOST_FILES:,} are read.")
    for entry in entries:
        if fault := _fault_of(entry):
            raise ToolError(f"{name}: {entry.orig_filename!r} {fault}.")
    total = sum(entry.file_size for entry in entries)
    if total > MOST_BYTES:
        raise ToolError(
            f"{name} unpacks to {total:,} bytes; at most {MOST_BYTES:,} are read. No export is so "
            "large."
        )
    _check_names(name, entries)
    _check_overlap(name, _extents(entries, file), archive.start_dir)
    return {entry.filename: entry.file_size for entry in entries if not entry.is_dir()}


def _fault_of(entry: zipfile.ZipInfo) -> str | None:
    """The fault of a single entry, as the rest of a sentence; None for a sound entry."""
    # zipfile cuts the first name at a NUL, and may take the second from an extra field.
    for path in (entry.orig_filename, entry.filename):
        parts = path.removesuffix("/").split("/")
        if "\\" in path or _DRIVE.match(path) or any(part in ("", ".", "..") for part in parts):
            return "is a path that could lead out of the folder; no export has one"
        if _CONTROL.search(path) or len(path) > _LONGEST_PATH:
            return "is a path with control characters, or too long; no export has one"
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link or no ordinary file; no export has one"
    if entry.flag_bits & _ENCRYPTED:
        return "is encrypted: unpack the zip file with its password, and give the folder"
    if entry.compress_type not in _METHODS:
        return (
            f"is compressed by method {entry.compress_type}, not as the portal does: unpack the "
            "zip file, and give the folder"
        )
    if entry.compress_type == zipfile.ZIP_STORED and entry.compress_size != entry.file_size:
        return "has two sizes. Download the zip file again"
    if entry.file_size > max(_SMALL_BYTES, _MOST_RATIO * entry.compress_size):
        return (
            f"is {entry.compress_size:,} bytes that unpack to {entry.file_size:,}; no model "
            "shrinks like that"
        )
    return None


def _check_names(name: str, entries: Sequence[zipfile.ZipInfo]) -> None:
    """Refuses two names that are one file on some disk, and a file that is a folder too."""
    seen: dict[str, str] = {}
    for entry in entries:
        path = entry.filename.removesuffix("/")
        key = _as_on_any_disk(path)
        if key in seen:
            raise ToolError(
                f"{name} has both {seen[key]!r} and {path!r}, which are one file on some disks; no "
                "export has such a pair."
            )
        seen[key] = path
    keys = sorted(seen)
    for entry in entries:
        inside = _as_on_any_disk(entry.filename) + "/"
        following = next(iter(keys[bisect_left(keys, inside) :]), "")
        if not entry.is_dir() and following.startswith(inside):
            raise ToolError(f"{name}: {entry.filename!r} is both a file and a folder.")


def _as_on_any_disk(path: str) -> str:
    """Maps paths that are equal on macOS or Windows to equal texts."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def _extents(entries: Sequence[zipfile.ZipInfo], file: BinaryIO) -> Iterator[tuple[int, int, str]]:
    """Yields start, end and name of each entry in the file."""
    for entry in entries:
        file.seek(entry.header_offset)
        header = file.read(_LOCAL_HEADER_BYTES)
        if len(header) < _LOCAL_HEADER_BYTES or not header.startswith(b"PK\x03\x04"):
            raise zipfile.BadZipFile("an entry has no header")
        names = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
        end = entry.header_offset + _LOCAL_HEADER_BYTES + names + entry.compress_size
        yield entry.header_offset, end, entry.filename


def _check_overlap(name: str, extents: Iterator[tuple[int, int, str]], directory: int) -> None:
    """Refuses entries that share their data, of which small zip bombs are made."""
    ends, before = 0, ""
    for start, end, path in sorted(extents):
        if start < ends:
            raise ToolError(f"{name}: {before!r} and {path!r} share their bytes; no export does.")
        ends, before = end, path
    if ends > directory:
        raise ToolError(f"{name}: {before!r} runs into the directory. Download the zip file again.")
