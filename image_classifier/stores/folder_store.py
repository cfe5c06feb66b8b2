"""Finds models in a folder on disk; ``blob_store`` finds them on Blob Storage."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection
from pathlib import Path

from image_classifier.engines.registry import weights_files
from image_classifier.model_files.names import VERSION
from image_classifier.stores.base import Origin

__all__ = ["FolderStore", "changed_ns", "folders_in"]


class FolderStore:
    """Models as folders ``<name>/<version>/``.

    Args:
        root: the folder with all models; it need not exist.
    """

    def __init__(self, root: Path) -> None:
        self.display_name = str(root)

    def names(self) -> Collection[str]:
        """The names of all folders and files."""
        with contextlib.suppress(OSError):
            return os.listdir(self.display_name)
        return ()

    def versions(self, name: str) -> dict[int, Path]:
        """The version folders of a model."""
        return folders_in(f"{self.display_name}{os.sep}{name}")

    def last_changed_ns(self, name: str) -> int:
        """The time stamp of the model's folder."""
        return changed_ns(f"{self.display_name}{os.sep}{name}")

    def origin(self, folder: Path) -> Origin | None:
        """None: the files are in the folder."""
        return None

    def error(self) -> str | None:
        """None: a folder that does not exist holds no models."""
        return None

    def not_found_hint(self, name: str) -> str:
        """The right folder for files that lie one folder too high; empty if there are none."""
        folder = Path(self.display_name) / name
        if not any((folder / file).is_file() for file in weights_files()):
            return ""
        return f" {folder} has the files, but they belong in a version folder: {folder / '1'}."


def folders_in(folder: str | Path) -> dict[int, Path]:
    """The version folders in a folder, the highest version first; empty if it does not exist."""
    try:
        with os.scandir(folder) as entries:
            versions = [
                (int(entry.name), entry.path)
                for entry in entries
                if VERSION.fullmatch(entry.name) and entry.is_dir()
            ]
    except OSError:
        return {}
    return {version: Path(path) for version, path in sorted(versions, reverse=True)}


def changed_ns(folder: str) -> int:
    """When files were last added to a folder or removed from it, in ns; 0 if it does not exist."""
    try:
        return os.stat(folder).st_mtime_ns
    except OSError:
        return 0
