"""Bounds the time and memory that Pillow spends on a file before its pixels are decoded.

Pillow reads headers and metadata in Python, to the end of the file, and trusts the numbers in
them: opening a GIF of 43 bytes takes 4 GB, and 20 MB of empty JPEG comments take 700 MB and 10 s.
Three bounds, in code that all of its formats share, prevent this:

* every size is checked where Pillow itself checks it: before it allocates anything;
* a file can be read a limited number of times: each turn of such a loop reads;
* a TIFF or EXIF directory can hold a limited number of numbers: each becomes an object.

The first and the third reach into Pillow. If a new version moves that code, the import of this
module fails, or the tests' corpus of hostile images shows it.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any

from PIL import Image, ImageFile, TiffImagePlugin

__all__ = ["MAX_NUMBERS", "MAX_READS", "open_within_limits"]

# An image of 20 MB is read about 10,000 times; each read costs up to 2 µs.
MAX_READS = 500_000
# Most are strips and tiles. A number costs up to 3 µs and 300 bytes.
MAX_NUMBERS = 131_072

SizeCheck = Callable[[int, int], None]

_check_size: ContextVar[SizeCheck | None] = ContextVar("check_size", default=None)
_pillows_check = Image._decompression_bomb_check


def open_within_limits(
    data: bytes, formats: Sequence[str], check_size: SizeCheck
) -> ImageFile.ImageFile:
    """Opens an image within the bounds that the module's docstring names.

    Args:
        data: the complete file.
        formats: the only ones that are tried.
        check_size: receives each width and height before Pillow allocates memory for them, and
            raises if they are too large; its error is passed on.

    Raises:
        Exception: Pillow's decoders raise nearly anything for a damaged file.
    """
    token = _check_size.set(check_size)
    try:
        return Image.open(_MeteredFile(data), formats=tuple(formats))
    finally:
        _check_size.reset(token)


class _MeteredFile(io.BytesIO):
    """A file in memory that can be read ``MAX_READS`` times."""

    _reads_left = MAX_READS

    def read(self, size: int | None = -1, /) -> bytes:
        self._reads_left -= 1
        if self._reads_left < 0:
            # Not an OSError, which Pillow takes for the end of the metadata.
            raise ValueError(f"the file has too many parts: more than {MAX_READS} reads")
        return super().read(size)


def _check_for_pillow(size: tuple[int, int], *, error_only: bool = False) -> None:
    check = _check_size.get()
    if check is None:
        _pillows_check(size, error_only=error_only)
    else:
        check(*size)


def _bounded(unit_size: int, load: Callable[..., Any]) -> Callable[..., Any]:
    """Wraps a loader of numbers so that it counts the numbers of its directory."""

    def load_bounded(directory: Any, data: bytes, legacy_api: bool = True) -> Any:
        numbers = getattr(directory, "numbers_given", 0) + len(data) // unit_size
        directory.numbers_given = numbers
        if numbers > MAX_NUMBERS:
            raise ValueError(f"a TIFF or EXIF directory has more than {MAX_NUMBERS} numbers")
        return load(directory, data, legacy_api)

    return load_bounded


def _install() -> None:
    Image._decompression_bomb_check = _check_for_pillow
    loaders = TiffImagePlugin.ImageFileDirectory_v2._load_dispatch
    for kind, (unit_size, load) in list(loaders.items()):
        if unit_size > 1:  # units of size 1 become bytes or text: one object of any length
            loaders[kind] = (unit_size, _bounded(unit_size, load))


_install()
