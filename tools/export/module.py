"""Exports any ``tf.Module`` as a SavedModel with its own signatures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tools.shared.version_folder import write_version

__all__ = ["export_module"]


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
        module: has the functions, with all variables and tables that they use.
        signatures: ``tf.function``s with an input signature, by their names for callers.
        name: of the model.
        models_dir: the folder with all models.
        version: None means the next free number.
        files: texts to write beside it, by file name.

    Returns:
        The version folder.

    Raises:
        ToolError: the version exists already, or no server would find that name or version.
    """

    def write(folder: Path) -> None:
        import tensorflow as tf

        tf.saved_model.save(module, str(folder), signatures=dict(signatures))
        for file, text in (files or {}).items():
            (folder / file).write_text(text, "utf-8")

    return write_version(write, name=name, models_dir=Path(models_dir), version=version)
