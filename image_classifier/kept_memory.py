"""Has the memory of one image kept for the next one.

The GNU C library gives the top of a heap back to the system as soon as 128 kB of it are free, and
``big_blocks`` keeps it from learning better. So each image would get its few megabytes anew, page
by page: 1,400 page faults, 4 of the 14 ms that a small photograph takes. And each thread would keep
a heap of its own; where no more threads compute than there are cores, so many heaps are enough.
"""

from __future__ import annotations

import ctypes
import os
import platform

from image_classifier.concurrency.compute_slots import usable_cores

__all__ = ["KEPT_BYTES", "keep_heap"]

# More than an image takes in blocks that big_blocks does not give back.
KEPT_BYTES = 32 * 2**20

_M_TRIM_THRESHOLD, _M_ARENA_MAX = -1, -8  # of malloc.h


def keep_heap() -> bool:
    """Sets both; False where there are no such settings or the environment has its own."""
    if platform.libc_ver()[0] != "glibc":
        return False
    if not {"MALLOC_TRIM_THRESHOLD_", "MALLOC_ARENA_MAX"}.isdisjoint(os.environ):
        return False
    mallopt = ctypes.CDLL(None).mallopt
    is_kept = mallopt(_M_TRIM_THRESHOLD, KEPT_BYTES)
    return bool(is_kept and mallopt(_M_ARENA_MAX, max(2, usable_cores())))
