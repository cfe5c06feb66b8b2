"""Writes a version of a model: all of it at once, never over another one."""

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
# Longer than any export takes from one file to the next.
_LEFT_SECONDS = 24 * 3600.0


def write_version(
    write: Callable[[Path], None], *, name: str, models_dir: Path, version: int | None
) -> Path:
    """Has a version written beside its place and puts it there when it is complete.

    A server that watches the folder never sees half of it.

    Args:
        write: fills the folder that it is given; if it raises, nothing is left behind.
        name: of the model.
        models_dir: the folder with all models.
        version: None means the next free number: the one that is free when all is written, and
            never that of a version that was deleted.

    Raises:
        ToolError: that version is there already, or name or version cannot be served.
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
    there = _numbers(base)
    if version in there:
        raise ToolError(
            f"{base / str(version)} is there already, and versions are never overwritten: leave "
            f"the version out to get the next free one ({_next(models_dir, name)})."
        )
    chosen = _next(models_dir, name) if version is None else version
    # Innermost first: the folders that are made for it, and go again if nothing comes of it.
    made = [folder for folder in (base, *base.parents) if not folder.exists()]
    beside: Path | None = None
    try:
        try:
            base.mkdir(parents=True, exist_ok=True)
            remove_leftovers(base)
            # On the same disk, under a name that is no version.
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
    """The highest number that was deleted, for each model.

    Raises:
        ToolError: the file with them cannot be read.
    """
    file = models_dir / NOTES_FILE
    try:
        return parse_notes(file.read_bytes(), where=str(file))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as exc:
        raise ToolError(f"{file} cannot be read: {exc.strerror}.") from exc


def remove_leftovers(base: Path) -> None:
    """Removes what killed processes left half done in a model's folder, when it is a day old."""
    for prefix in (UNFINISHED, DELETED):
        for left in base.glob(f"{prefix}*"):
            if time.time() - _last_written(left) > _LEFT_SECONDS:
                shutil.rmtree(left, ignore_errors=True)


def _numbers(base: Path) -> set[int]:
    return {int(path.name) for path in base.glob("*") if VERSION.fullmatch(path.name)}


def _next(models_dir: Path, name: str) -> int:
    return next_number(name, _numbers(models_dir / name), read_notes(models_dir))


def _put_in_place(folder: Path, models_dir: Path, name: str, version: int | None) -> Path:
    """Renames it to its number, or if that was free to choose, to the one that is free now."""
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
    except OSError:  # something goes there right now
        return time.time()


def _remove_empty(folders: list[Path]) -> None:
    for folder in folders:
        try:
            folder.rmdir()
        except OSError:  # it holds something, or was never made
            return
