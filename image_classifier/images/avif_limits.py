"""Finds AVIF files with lists so long that merely opening them takes minutes.

An AVIF file is a tree of boxes. Some are lists (of the image's parts, of frames), which the
library compares each entry with each other: 65,000 parts in 3 MB take 20 s before the image's
size is known.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

__all__ = ["has_long_lists"]

# Real files have some 20 boxes and lists of some 100 bytes; an animation has 4 bytes per frame.
MAX_BOXES = 4096
MAX_LIST_BYTES = 65_536
MAX_FRAMES = 16_384

# Boxes that hold boxes, and the number of bytes before the first.
_CONTAINERS = {b"meta": 4, b"iprp": 0, b"ipco": 0, b"moov": 0, b"trak": 0, b"mdia": 0}
_CONTAINERS |= {b"minf": 0, b"stbl": 0}
# Boxes that are no lists, and may be long: pixels, a colour profile, padding.
_DATA = {b"mdat", b"idat", b"colr", b"free", b"skip", b"uuid"}

# Kind, start and end of a box's content.
_Box = tuple[bytes, int, int]


def has_long_lists(data: bytes) -> bool:
    """Whether a list in the file is longer than any image needs.

    Args:
        data: a complete AVIF file; a damaged one is read as far as possible.
    """
    waiting = [(0, len(data))]
    seen = 0
    while waiting:
        for kind, start, end in _boxes(data, *waiting.pop()):
            seen += 1
            if kind in _CONTAINERS:
                waiting.append((start + _CONTAINERS[kind], end))
            elif kind not in _DATA and end - start > MAX_LIST_BYTES:
                return True
            elif kind == b"stsz" and _number(data, start + 8) > MAX_FRAMES:
                return True  # frames of one size need no list
            if seen > MAX_BOXES:
                return True
    return False


def _boxes(data: bytes, start: int, end: int) -> Iterator[_Box]:
    while start + 8 <= end:
        size, kind = _number(data, start), data[start + 4 : start + 8]
        head = 8
        if size == 1 and start + 16 <= end:
            (size,) = struct.unpack_from(">Q", data, start + 8)
            head = 16
        elif size == 0:  # to the end
            size = end - start
        if size < head:
            return
        yield kind, start + head, min(start + size, end)
        start += size


def _number(data: bytes, start: int) -> int:
    return int.from_bytes(data[start : start + 4], "big")
