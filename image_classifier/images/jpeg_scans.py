"""Counts the scans of a JPEG file without decoding it.

A progressive JPEG has its pixels in several scans, usually 10. The decoder processes the complete
image for each, even for one of 50 bytes: 20 MB can cause hours of work.
"""

from __future__ import annotations

import re

import numpy as np

__all__ = ["count_scans"]

_SCAN_MARKER = 0xDAFF  # as two bytes in Intel's order
_AT_ONCE = 2**17  # pairs whose comparison stays in the processor's cache
_END_OF_IMAGE = 0xD9
_START_OF_SCAN = 0xDA
# Within a scan's data 0xFF is followed by 0 (a stuffed byte), a restart marker or another 0xFF.
_MARKER = re.compile(rb"\xff([^\x00\x01\xd0-\xd8\xff])", re.DOTALL)


def count_scans(data: bytes, *, enough: int) -> int:
    """Counts the start-of-scan markers of the first image in ``data``.

    Markers inside other segments (a thumbnail) and after the end of the image (a phone's video) do
    not count.

    Args:
        data: a complete JPEG file.
        enough: the number at which counting stops.
    """
    at_most = _occurrences(data)
    if at_most < enough:  # nearly always
        return at_most
    scans = position = 0
    while scans < enough:
        match = _MARKER.search(data, position)
        if match is None:
            break
        marker = match[1][0]
        if marker == _END_OF_IMAGE:
            break
        if marker == _START_OF_SCAN:
            scans += 1
        length = int.from_bytes(data[match.end() : match.end() + 2], "big")
        position = match.end() + length
    return scans


def _occurrences(data: bytes) -> int:
    """Counts the marker's two bytes anywhere; bytes.count takes six times as long."""
    count = 0
    for start in range(min(2, len(data))):  # pairs at even offsets, then at odd ones
        pairs = np.frombuffer(data, "<u2", count=(len(data) - start) // 2, offset=start)
        for begin in range(0, len(pairs), _AT_ONCE):
            count += int(np.count_nonzero(pairs[begin : begin + _AT_ONCE] == _SCAN_MARKER))
    return count
