"""Has big blocks of memory given back to the system when they are freed.

The GNU C library learns from the blocks that a program frees: after the first of 16 MB (Pillow's)
it keeps all that are smaller for itself, in each thread's heap. Under load with large images the
process then holds 1.4 GB at rest, and creeps up; with a fixed size from which blocks are given
back, it holds 0.2 GB. The size is above what the usual images need: those are faster when kept.
"""

from __future__ import annotations

import ctypes
import gc
import os
import platform

__all__ = ["GIVEN_BACK_FROM_BYTES", "return_large_blocks", "trim_heap"]

GIVEN_BACK_FROM_BYTES = 4 * 2**20

_M_MMAP_THRESHOLD = -3  # of malloc.h


def return_large_blocks() -> bool:
    """Sets the size; False where there is no such setting or the environment has its own."""
    if platform.libc_ver()[0] != "glibc" or "MALLOC_MMAP_THRESHOLD_" in os.environ:
        return False
    return bool(ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, GIVEN_BACK_FROM_BYTES))


def trim_heap() -> None:
    """Has memory that was freed given back to the system now, cycles of objects included."""
    gc.collect()
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)
