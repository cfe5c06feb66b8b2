"""Lists the decodable images of a folder, without hidden files."""

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

# For folders of the user: more than strangers may send.
MOST_PIXELS = 10**9
# The exceptions of reading and decoding a file, for ``reason``.
UNREADABLE = (ClassifierError, OSError)


def visible_images_in(folder: Path) -> list[Path]:
    """Lists the images in a folder, at any depth, sorted by path.

    Hidden files are left out: thumbnails, checkpoints of notebooks, the files that macOS adds.

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
    """Decodes images behind a progress bar.

    Returns:
        The images that can be decoded, and the reasons against the others.
    """
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
    """Describes why an image cannot be read."""
    if isinstance(exc, ClassifierError):
        return exc.message
    return (isinstance(exc, OSError) and exc.strerror) or str(exc)


def tell_left_out(left_out: Mapping[Path, str]) -> None:
    """Prints the images that are left out, with the reasons."""
    for path, why in left_out.items():
        print(f"  left out: {path}: {why}")
