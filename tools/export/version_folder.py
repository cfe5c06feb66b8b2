"""Writes a version of a model: all of it at once, never over another one."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from image_classifier.repository import MODEL_NAME, MOST_VERSION_DIGITS

__all__ = ["ExportError", "export_module", "write_version"]


class ExportError(Exception):
    """The model cannot be exported; the message says why and what to do."""


def export_module(
    module: Any,
    signatures: Mapping[str, Any],
    *,
    name: str,
    models_dir: Path | str = "models",
    version: int | None = None,
    files: Mapping[str, str] | None = None,
) -> Path:
    """Writes any ``tf.Module`` with signatures as a version to serve.

    Args:
        module: has the functions, and whatever variables and tables they use.
        signatures: ``tf.function``s with an input signature, by the name that callers use.
        name: of the model.
        models_dir: the folder with all models.
        version: None means the next free number.
        files: texts to put beside it, by file name.

    Returns:
        The version folder.

    Raises:
        ExportError: that version is there already, or name or version cannot be served.
    """

    def write(folder: Path) -> None:
        import tensorflow as tf

        tf.saved_model.save(module, str(folder), signatures=dict(signatures))
        for file, text in (files or {}).items():
            (folder / file).write_text(text, "utf-8")

    return write_version(write, name=name, models_dir=Path(models_dir), version=version)


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
        ExportError: that version is there already, or name or version cannot be served.
    """
    if not MODEL_NAME.fullmatch(name):
        raise ExportError(
            f"{name!r} cannot be the name of a model: use letters, digits, '_', '.' and '-', at "
            "most 128 of them, with a letter or digit first."
        )
    if version is not None and not 0 <= version < 10**MOST_VERSION_DIGITS:
        raise ExportError(
            f"{version} cannot be a version: use a whole number from 0, of at most "
            f"{MOST_VERSION_DIGITS} digits."
        )
    base = models_dir / name
    there = [int(path.name) for path in base.glob("*") if path.name.isdecimal()]
    chosen = max(there, default=0) + 1 if version is None else version
    target = base / str(chosen)
    if chosen in there:
        raise ExportError(
            f"{target} is there already, and versions are never overwritten: export without a "
            f"version to get the next free one ({max(there) + 1})."
        )
    try:
        base.mkdir(parents=True, exist_ok=True)
        # On the same disk, under a name that is no version.
        beside = Path(tempfile.mkdtemp(prefix=".export-", dir=base))
    except OSError as exc:
        raise ExportError(f"{base} cannot be written to: {exc.strerror}.") from exc
    try:
        folder = beside / str(chosen)
        folder.mkdir()
        write(folder)
        try:
            folder.rename(target)
        except OSError as exc:
            raise ExportError(f"{target} cannot be put in place: {exc.strerror}.") from exc
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        if not any(base.iterdir()):
            base.rmdir()
    return target
