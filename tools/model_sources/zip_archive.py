"""Reads models from zip files. The whole directory is checked before any file is opened."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from tools.model_sources.source import MOST_FILES, damaged
from tools.model_sources.zip_entries import checked_sizes
from tools.model_sources.zip_errors import ZIP_ERRORS
from tools.shared.errors import ToolError

__all__ = ["Archive"]

# zipfile reads the whole directory at once. An entry takes 46 bytes and its name.
_MOST_DIRECTORY_BYTES = MOST_FILES * 512

_ERRORS = (*ZIP_ERRORS, OSError)

# Files of other kinds that people pass in place of a zip file, by their first bytes.
_MAGIC = (
    (b"<", "an HTML or XML page: the download link may have run out"),
    (b"version https://git-lfs", "a Git LFS pointer: run 'git lfs pull' to get the file itself"),
    (b"\x1f\x8b", "a gzip archive: unpack it and give the folder"),
    (b"Rar!", "a RAR archive: unpack it and give the folder"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive: unpack it and give the folder"),
    (b"PK\x03\x04", "a zip file that is damaged or cut short: download it again"),
)


class Archive:
    """The files of a zip file.

    Args:
        path: the zip file.
        name: of the zip file in messages; its own name by default.

    Attributes:
        name: as given.
        sizes: bytes of each file, by its path in the zip file.

    Raises:
        ToolError: the file is not a zip file, or one that must not be unpacked.
    """

    def __init__(self, path: Path, *, name: str | None = None) -> None:
        self.name = name or path.name
        try:
            self._file = _Bounded(path)
        except OSError as exc:
            raise ToolError(f"{path} cannot be read: {exc.strerror}.") from exc
        try:
            try:
                self._zip = zipfile.ZipFile(self._file)
            except _ERRORS as exc:
                raise ToolError(f"{self.name} cannot be read: it is {_kind_of(path)}.") from exc
            try:
                self.sizes: Mapping[str, int] = checked_sizes(self.name, self._zip, self._file)
            except _ERRORS as exc:
                raise ToolError(f"{self.name} is damaged. Download it again.") from exc
        except BaseException:
            self._file.close()
            raise

    @contextmanager
    def open(self, path: str) -> Iterator[BinaryIO]:
        """See ``Source.open``. Reading to the end also checks the CRC."""
        try:
            with self._zip.open(path) as file:
                yield file  # type: ignore[misc]
        except _ERRORS as exc:
            raise damaged(path) from exc

    def link(self, path: str, target: Path) -> bool:
        """See ``Source.link``. A file in a zip file has no path to link to."""
        return False

    def close(self) -> None:
        """Closes the zip file."""
        self._zip.close()
        self._file.close()


class _Bounded(io.FileIO):
    """A file that refuses reads larger than the directory of an honest zip file."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "rb")

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            size = _MOST_DIRECTORY_BYTES + 1
        data = super().read(min(size, _MOST_DIRECTORY_BYTES + 1)) or b""
        if len(data) > _MOST_DIRECTORY_BYTES:
            raise zipfile.BadZipFile("the directory is too large")
        return data


def _kind_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            head = file.read(32)
    except OSError:
        head = b""
    if not head:
        return "empty"
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    return "something else. Give the zip file from the portal, or the folder that it unpacks to"
