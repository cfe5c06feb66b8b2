"""Reads models from folders, without following links unless they are asked for."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from tools.model_sources.source import MOST_FILES
from tools.shared.errors import ToolError

__all__ = ["Folder"]


class Folder:
    """The files in a folder, at any depth.

    Args:
        path: the folder.
        name: of the folder in messages; its own name by default.
        follow_links: takes files that links point to, as the caches of downloaders keep them.
            Links to folders are never followed.
        skip: whether to leave out a path, which is relative to the folder, and everything below
            it. Such files do not count towards MOST_FILES.

    Attributes:
        name: as given.
        sizes: bytes of each file, by its path in the folder. Without ``follow_links``, links are
            among them, so that an error can name a link that is needed.

    Raises:
        ToolError: the folder cannot be read, or holds more than MOST_FILES files.
    """

    def __init__(
        self,
        path: Path,
        *,
        name: str | None = None,
        follow_links: bool = False,
        skip: Callable[[str], bool] = lambda path: False,
    ) -> None:
        self.name = name or path.resolve().name or str(path)
        self._root, self._follow_links, self._skip = path, follow_links, skip
        try:
            self.sizes: Mapping[str, int] = dict(self._walk())
        except OSError as exc:
            raise ToolError(f"{exc.filename or path} cannot be read: {exc.strerror}.") from exc

    @contextmanager
    def open(self, path: str) -> Iterator[BinaryIO]:
        """See ``Source.open``."""
        file = self._root / path
        try:
            mode = file.stat(follow_symlinks=self._follow_links).st_mode
            if not stat.S_ISREG(mode):
                kind = "a link" if stat.S_ISLNK(mode) else "no ordinary file"
                raise ToolError(f"{path} is {kind}: put the file itself there.")
            with file.open("rb") as opened:
                yield opened
        except OSError as exc:
            raise ToolError(f"{path} cannot be read: {exc.strerror}.") from exc

    def link(self, path: str, target: Path) -> bool:
        """See ``Source.link``. The target is a hard link to the file that a link points to."""
        if not self._follow_links:
            return False  # the target must not have the mode of a stranger's file
        try:
            os.link((self._root / path).resolve(), target)
        except OSError:  # another disk, or one without hard links
            return False
        return True

    def close(self) -> None:
        """Does nothing: no file stays open."""

    def _walk(self) -> Iterator[tuple[str, int]]:
        waiting = [""]
        count = 0
        while waiting:
            inside = waiting.pop()
            with os.scandir(self._root / inside) as entries:
                for entry in entries:
                    path = f"{inside}{entry.name}"
                    if self._skip(path):
                        continue
                    count += 1
                    if count > MOST_FILES:
                        raise ToolError(
                            f"{self.name} has more than {MOST_FILES:,} files: give the folder of "
                            "the export itself."
                        )
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(f"{path}/")
                    elif not self._follow_links or entry.is_file():
                        yield path, entry.stat(follow_symlinks=self._follow_links).st_size
