"""Writes versions of models in one step, and never over another version."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from image_classifier.model_files.names import MODEL_NAME, MOST_VERSION_DIGITS, VERSION
from tools.shared.errors import ToolError
from tools.shared.version_numbers import NOTES_FILE, next_number, parse_notes

__all__ = ["DELETED", "read_notes", "remove_leftovers", "write_version"]

UNFINISHED, DELETED = ".unfinished-", ".deleted-"
# Longer than any export pauses between two files.
_LEFT_SECONDS = 24 * 3600.0


def write_version(
    write: Callable[[Path], None], *, name: str, models_dir: Path, version: int | None
) -> Path:
    """Writes a version to a temporary folder and renames that when it is complete.

    A server that watches the folder never sees half a version.

    Args:
        write: fills the folder that it gets; if it raises, nothing is left behind.
        name: of the model.
        models_dir: the folder with all models.
        version: None means the next free number at the end of writing, which never is that of a
            deleted version.

    Raises:
        ToolError: the version exists already, or no server would find that name or version.
    """
    if not MODEL_NAME.fullmatch(name):
        raise ToolError(
            f"{name!r} cannot be the name of a model: use letters, digits, '_', '.' and '-', at "
            "most 128 of them, with a letter or digit first."
        )
    if version is not None and not 0 <= version < 10**MOST_VERSION_DIGITS:
        raise ToolError(
            f"{version} cannot be a version: use a whole number from 0, of at most "
            f"{MOST_VERSION_DIGITS} digits."
        )
    base = models_dir / name
    if version in _numbers(base):
        raise ToolError(
            f"{base / str(version)} is there already, and versions are never overwritten: leave "
            f"the version out to get the next free one ({_next(models_dir, name)})."
        )
    chosen = _next(models_dir, name) if version is None else version
    # The folders to make, innermost first; they are removed again after a failure.
    made = [folder for folder in (base, *base.parents) if not folder.exists()]
    beside: Path | None = None
    try:
        try:
            base.mkdir(parents=True, exist_ok=True)
            remove_leftovers(base)
            # On the same disk, under a name that is not a version.
            beside = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=base))
        except OSError as exc:
            raise ToolError(f"{base} cannot be written to: {exc.strerror}.") from exc
        folder = beside / str(chosen)
        folder.mkdir()
        write(folder)
        return _put_in_place(folder, models_dir, name, version)
    finally:
        if beside is not None:
            shutil.rmtree(beside, ignore_errors=True)
        _remove_empty(made)


def read_notes(models_dir: Path) -> dict[str, int]:
    """Reads the highest deleted number of each model.

    Raises:
        ToolError: the file with the numbers cannot be read.
    """
    file = models_dir / NOTES_FILE
    try:
        return parse_notes(file.read_bytes(), where=str(file))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as exc:
        raise ToolError(f"{file} cannot be read: {exc.strerror}.") from exc


def remove_leftovers(base: Path) -> None:
    """Removes unfinished folders of killed processes from a model's folder after a day."""
    for prefix in (UNFINISHED, DELETED):
        for left in base.glob(f"{prefix}*"):
            if time.time() - _last_written(left) > _LEFT_SECONDS:
                shutil.rmtree(left, ignore_errors=True)


def _numbers(base: Path) -> set[int]:
    return {int(path.name) for path in base.glob("*") if VERSION.fullmatch(path.name)}


def _next(models_dir: Path, name: str) -> int:
    return next_number(name, _numbers(models_dir / name), read_notes(models_dir))


def _put_in_place(folder: Path, models_dir: Path, name: str, version: int | None) -> Path:
    """Renames the folder to its number, or if that was taken meanwhile, to the next free one."""
    target = models_dir / name / folder.name
    while True:
        try:
            folder.rename(target)
        except OSError as exc:
            if version is not None or not os.path.lexists(target):
                raise ToolError(f"{target} cannot be put in place: {exc.strerror}.") from exc
            target = target.with_name(str(_next(models_dir, name)))
        else:
            return target


def _last_written(folder: Path) -> float:
    try:
        return max(path.lstat().st_mtime for path in (folder, *folder.rglob("*")))
    except OSError:  # another process changes it now
        return time.time()


def _remove_empty(folders: list[Path]) -> None:
    for folder in folders:
        try:
            folder.rmdir()
        except OSError:  # not empty, or never made
            return
