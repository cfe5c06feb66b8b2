"""Lists the image files of a folder."""

from __future__ import annotations

from pathlib import Path

__all__ = ["images_in"]

# Other files in a folder are skipped; a file that the user names is always tried.
_SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".dib"})
_SUFFIXES |= {".webp", ".tif", ".tiff", ".avif"}


def images_in(folder: Path) -> list[Path]:
    """Lists the images in a folder, at any depth, sorted by path."""
    paths = sorted(folder.rglob("*"))
    return [path for path in paths if path.suffix.lower() in _SUFFIXES and path.is_file()]
