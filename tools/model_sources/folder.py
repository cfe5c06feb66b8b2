"""A folder as a source: an export that somebody has unpacked. No link in it is followed."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from tools.model_sources.messages import AddError
from tools.model_sources.source import MOST_FILES

__all__ = ["Folder"]


class Folder:
    """The files in a folder, at any depth.

    Args:
        path: the folder.

    Attributes:
        name: of the folder.
        sizes: bytes of each file, by its path in the folder. Links are among them, so that they
            can be named when one of them is wanted.

    Raises:
        AddError: it cannot be read, or has too much in it.
    """

    def __init__(self, path: Path) -> None:
        self.name = path.resolve().name or str(path)
        self._root = path
        try:
            self.sizes: Mapping[str, int] = dict(self._walk())
        except OSError as exc:
            raise AddError(f"{exc.filename or path} cannot be read: {exc.strerror}.") from exc

    @contextmanager
    def open(self, path: str) -> Iterator[BinaryIO]:
        """See ``Source.open``."""
        file = self._root / path
        try:
            mode = file.lstat().st_mode
            if not stat.S_ISREG(mode):
                what = "a link" if stat.S_ISLNK(mode) else "no ordinary file"
                raise AddError(f"{path} is {what}: put the file itself there.")
            with file.open("rb") as opened:
                yield opened
        except OSError as exc:
            raise AddError(f"{path} cannot be read: {exc.strerror}.") from exc

    def close(self) -> None:
        """Nothing is kept open."""

    def _walk(self) -> Iterator[tuple[str, int]]:
        waiting = [""]
        seen = 0
        while waiting:
            inside = waiting.pop()
            with os.scandir(self._root / inside) as entries:
                for entry in entries:
                    seen += 1
                    if seen > MOST_FILES:
                        raise AddError(
                            f"{self.name} has more than {MOST_FILES:,} files: give the folder of "
                            "the export itself."
                        )
                    path = f"{inside}{entry.name}"
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(f"{path}/")
                    else:
                        yield path, entry.stat(follow_symlinks=False).st_size
