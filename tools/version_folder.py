"""Writes a version of a model: all of it at once, never over another one."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from image_classifier.model_names import MODEL_NAME, MOST_VERSION_DIGITS

__all__ = ["VersionError", "write_version"]


class VersionError(Exception):
    """The version cannot be written; the message says why and what to do."""


def write_version(
    write: Callable[[Path], None], *, name: str, models_dir: Path, version: int | None
) -> Path:
    """Has a version written beside its place and puts it there when it is complete.

    A server that watches the folder never sees half of it.

    Args:
        write: fills the folder that it is given; if it raises, nothing is left behind.
        name: of the model.
        models_dir: the folder with all models.
        version: None means the next free number.

    Raises:
        VersionError: that version is there already, or name or version cannot be served.
    """
    if not MODEL_NAME.fullmatch(name):
        raise VersionError(
            f"{name!r} cannot be the name of a model: use letters, digits, '_', '.' and '-', at "
            "most 128 of them, with a letter or digit first."
        )
    if version is not None and not 0 <= version < 10**MOST_VERSION_DIGITS:
        raise VersionError(
            f"{version} cannot be a version: use a whole number from 0, of at most "
            f"{MOST_VERSION_DIGITS} digits."
        )
    base = models_dir / name
    there = [int(path.name) for path in base.glob("*") if path.name.isdecimal()]
    chosen = max(there, default=0) + 1 if version is None else version
    target = base / str(chosen)
    if chosen in there:
        raise VersionError(
            f"{target} is there already, and versions are never overwritten: leave the version "
            f"out to get the next free one ({max(there) + 1})."
        )
    # Innermost first: the folders that are made for it, and go again if nothing comes of it.
    made = [folder for folder in (base, *base.parents) if not folder.exists()]
    beside: Path | None = None
    try:
        try:
            base.mkdir(parents=True, exist_ok=True)
            # On the same disk, under a name that is no version.
            beside = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=base))
        except OSError as exc:
            raise VersionError(f"{base} cannot be written to: {exc.strerror}.") from exc
        folder = beside / str(chosen)
        folder.mkdir()
        write(folder)
        try:
            folder.rename(target)
        except OSError as exc:
            raise VersionError(f"{target} cannot be put in place: {exc.strerror}.") from exc
    finally:
        if beside is not None:
            shutil.rmtree(beside, ignore_errors=True)
        _remove_empty(made)
    return target


def _remove_empty(folders: list[Path]) -> None:
    for folder in folders:
        try:
            folder.rmdir()
        except OSError:  # it holds something, or was never made
            return
