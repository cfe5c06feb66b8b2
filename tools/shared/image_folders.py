"""Which images of a folder a tool works on: those that are meant, and can be decoded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from image_classifier.errors import ClassifierError, ModelError
from image_classifier.images.decode import decode
from image_classifier.images.files import images_in

__all__ = [
    "MOST_PIXELS",
    "UNREADABLE",
    "visible_images_in",
    "reason",
    "tell_left_out",
    "without_damaged",
]

# A folder of one's own: larger than what strangers may send.
MOST_PIXELS = 10**9
# What reading and decoding a file may raise, for ``reason``.
UNREADABLE = (ClassifierError, OSError)


def visible_images_in(folder: Path) -> list[Path]:
    """The images in a folder, at any depth, sorted by path.

    Hidden files and folders hold none that are meant: thumbnails, a notebook's checkpoints, what
    macOS writes beside each file.

    Raises:
        ModelError: there is no such folder.
    """
    if not folder.is_dir():
        raise ModelError(f"{folder} is no folder: name one that has images in it.")
    return [
        path
        for path in images_in(folder)
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]


def without_damaged(paths: Sequence[Path]) -> tuple[list[Path], dict[Path, str]]:
    """Decodes images, with a progress bar: those that can be, and why the others cannot."""
    from tqdm import tqdm

    good: list[Path] = []
    left_out: dict[Path, str] = {}
    for path in tqdm(paths, unit="image", disable=None, leave=False):
        try:
            decode(path.read_bytes(), max_pixels=MOST_PIXELS)
        except UNREADABLE as exc:
            left_out[path] = reason(exc)
        else:
            good.append(path)
    return good, left_out


def reason(exc: Exception) -> str:
    """Why an image cannot be read, for people."""
    if isinstance(exc, ClassifierError):
        return exc.message
    return (isinstance(exc, OSError) and exc.strerror) or str(exc)


def tell_left_out(left_out: Mapping[Path, str]) -> None:
    """Prints which images nothing is done with."""
    for path, why in left_out.items():
        print(f"  left out: {path}: {why}")
