"""Keeps downloaded versions on this machine, shared by several processes.

``<name>/<number>-<key>/`` is complete or absent: it is written beside, under a lock, and renamed.
The lock is the operating system's, so it ends with its process.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from image_classifier.errors import ModelError
from image_classifier.model_files.names import MODEL_NAME, MOST_VERSION_DIGITS

__all__ = ["ModelCache", "default_cache_dir"]

_FOLDER = re.compile(rf"([0-9]{{1,{MOST_VERSION_DIGITS}}})-[0-9a-f]{{12}}")
# So many versions of a model stay whatever their age: the one that answers, and one to fall back
# on while the storage is away.
_KEPT_VERSIONS = 2
_KEPT_SECONDS = 24 * 3600
# Enough for the largest version over a slow line; a longer wait has another cause.
_LOCK_SECONDS = 1800.0
_LOCK_POLL_SECONDS = 0.05


class ModelCache:
    """A folder with the downloaded versions of one store. Safe to share among processes.

    Args:
        folder: holds all caches.
        store: the store's address; each store has a folder of its own.
    """

    def __init__(self, folder: Path, store: str) -> None:
        self._base = folder
        self._root = folder / hashlib.sha256(store.encode()).hexdigest()[:16]

    def folder(self, name: str, number: int, key: str) -> Path:
        """The folder of a version, whether it exists or not.

        Args:
            name: of the model; can be a folder's name.
            number: of the version.
            key: twelve hexadecimal digits that change with its content.
        """
        return self._root / name / f"{number}-{key}"

    def versions(self) -> dict[str, dict[int, Path]]:
        """All complete versions, by model and number, the highest first.

        Of two with one number, the last used one counts.
        """
        versions: dict[str, dict[int, Path]] = {}
        for path in sorted(self._complete("*"), key=_used):
            name, match = path.parent.name, _FOLDER.fullmatch(path.name)
            if match and MODEL_NAME.fullmatch(name):
                versions.setdefault(name, {})[int(match[1])] = path
        return {name: dict(sorted(each.items(), reverse=True)) for name, each in versions.items()}

    def fill(
        self,
        target: Path,
        write: Callable[[Path], None],
        is_whole: Callable[[Path], bool] = Path.is_dir,
    ) -> bool:
        """Writes a version unless it is complete; one process at a time.

        Args:
            target: the version's folder, as ``folder`` returns it.
            write: fills the folder that is passed to it; its errors are passed on.
            is_whole: whether a folder that was written once still has all its files.

        Returns:
            Whether the version was written now.

        Raises:
            ModelError: the cache cannot be used, or another process takes too long.
        """
        if not is_whole(target):
            self._make_private(target.parent)
            with self._lock(target):
                if not is_whole(target):
                    self._put_aside(target)
                    self._write(target, write)
                    return True
        with contextlib.suppress(OSError):
            os.utime(target)  # marks it as used: see _prune
        return False

    def _write(self, target: Path, write: Callable[[Path], None]) -> None:
        for leftover in target.parent.glob(
            f".part-{target.name}-*"
        ):  # of a process that was killed
            shutil.rmtree(leftover, ignore_errors=True)
        try:
            part = tempfile.mkdtemp(prefix=f".part-{target.name}-", dir=target.parent)
            try:
                write(Path(part))
                os.utime(part)
                Path(part).rename(target)
            finally:
                shutil.rmtree(part, ignore_errors=True)
        except OSError as exc:
            raise ModelError(
                f"{target} cannot be written: {exc.strerror or exc}. MODELS_CACHE_DIR can name "
                "another place."
            ) from exc
        self._prune(target)

    def _prune(self, newest: Path) -> None:
        """Removes old versions of a model after a new one was written."""
        others = sorted(self._complete(newest.parent.name), key=_used, reverse=True)
        for path in others[_KEPT_VERSIONS:]:
            if path != newest and time.time() - _used(path) > _KEPT_SECONDS:
                self._put_aside(path)
        for gone in newest.parent.glob(".gone-*"):
            shutil.rmtree(gone, ignore_errors=True)

    def _put_aside(self, path: Path) -> None:
        with contextlib.suppress(
            OSError
        ):  # it does not exist, or is in use on a system where that matters
            path.rename(path.with_name(f".gone-{path.name}-{os.getpid()}"))

    def _complete(self, name: str) -> Iterator[Path]:
        return (path for path in self._root.glob(f"{name}/*") if _FOLDER.fullmatch(path.name))

    def _make_private(self, folder: Path) -> None:
        try:
            self._base.mkdir(mode=0o700, parents=True, exist_ok=True)
            stat = self._base.stat()
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise ModelError(
                f"{self._base} cannot be used for downloaded models: {exc.strerror or exc}. Set "
                "MODELS_CACHE_DIR to a folder that the app may write to."
            ) from exc
        # Anybody may write to temporary folders: a model that another user put there must not run.
        if sys.platform != "win32" and (stat.st_uid != os.getuid() or stat.st_mode & 0o022):
            raise ModelError(
                f"{self._base} is not the app's own: others can write there. Remove it, or set "
                "MODELS_CACHE_DIR to a folder that only the app may write to."
            )

    @contextlib.contextmanager
    def _lock(self, target: Path) -> Iterator[None]:
        deadline = time.monotonic() + _LOCK_SECONDS
        with target.with_name(f".lock-{target.name}").open("ab") as stream:
            while not _try_lock(stream):
                if time.monotonic() > deadline:
                    raise ModelError(
                        f"{target} is being downloaded by another process for too long."
                    )
                time.sleep(_LOCK_POLL_SECONDS)
            yield  # closing the file releases the lock


def default_cache_dir() -> Path:
    """A folder of this user's own among the system's temporary files."""
    user = os.getuid() if sys.platform != "win32" else os.environ.get("USERNAME", "")
    return Path(tempfile.gettempdir()) / f"image-classifier-models-{user}"


def _used(path: Path) -> float:
    with contextlib.suppress(OSError):
        return path.stat().st_mtime
    return 0.0


def _try_lock(stream: IO[bytes]) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            stream.seek(0)
            msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
