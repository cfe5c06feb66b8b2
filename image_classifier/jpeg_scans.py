"""Counts the scans of a JPEG file without decoding it.

A progressive JPEG tells its pixels in several scans, usually 10. The decoder goes through the whole
picture for each, even for one of 50 bytes: 20 MB can ask for hours of work.
"""

from __future__ import annotations

import re

__all__ = ["count_scans"]

_END_OF_IMAGE = 0xD9
_START_OF_SCAN = 0xDA
# Within a scan's data 0xFF is followed by 0 (a stuffed byte), a restart marker or another 0xFF.
_MARKER = re.compile(rb"\xff([^\x00\x01\xd0-\xd8\xff])", re.DOTALL)


def count_scans(data: bytes, *, enough: int) -> int:
    """Counts the start-of-scan markers of the first picture in ``data``.

    Those inside other segments (a thumbnail) and behind the picture's end (a phone's video) do not
    count.

    Args:
        data: a whole JPEG file.
        enough: where to stop counting.
    """
    if data.count(b"\xff\xda") < enough:  # nearly always, and done in a moment
        return data.count(b"\xff\xda")
    scans = position = 0
    while scans < enough:
        found = _MARKER.search(data, position)
        if found is None:
            break
        marker = found[1][0]
        if marker == _END_OF_IMAGE:
            break
        if marker == _START_OF_SCAN:
            scans += 1
        length = int.from_bytes(data[found.end() : found.end() + 2], "big")
        position = found.end() + length
    return scans
