"""Tunes malloc of the GNU C library: returns large freed blocks, keeps the heap of one image.

Large blocks: malloc learns from the blocks that a program frees: after the first of 16 MB
(Pillow's) it keeps all that are smaller for itself, in each thread's heap. Under load with large
images the process then holds 1.4 GB at rest, and creeps up; with a fixed size from which blocks are
returned to the operating system, it holds 0.2 GB. The size is above what the usual images need:
those are faster when their memory is kept.

Heap: malloc returns the top of a heap as soon as 128 kB of it are free, and the fixed size above
keeps it from learning better. So each image would get its few megabytes anew, page by page: 1,400
page faults, 4 of the 14 ms that a small photograph takes. And each thread would keep a heap of its
own; where no more threads compute than there are cores, that many heaps are enough.
"""

from __future__ import annotations

import ctypes
import gc
import os
import platform

from image_classifier.concurrency.compute_slots import usable_cores

__all__ = ["KEPT_BYTES", "RETURNED_FROM_BYTES", "keep_heap", "return_large_blocks", "trim_heap"]

RETURNED_FROM_BYTES = 4 * 2**20
# More than one image takes in blocks that are smaller than that.
KEPT_BYTES = 32 * 2**20

# Of malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8


def return_large_blocks() -> bool:
    """Sets the size from which freed blocks are returned to the operating system.

    Returns:
        False where the C library has no such setting, or the environment sets its own.
    """
    if platform.libc_ver()[0] != "glibc" or "MALLOC_MMAP_THRESHOLD_" in os.environ:
        return False
    return bool(ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, RETURNED_FROM_BYTES))


def keep_heap() -> bool:
    """Keeps freed heap memory for the next image, and bounds the number of heaps.

    Returns:
        False where the C library has no such settings, or the environment sets its own.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    if not {"MALLOC_TRIM_THRESHOLD_", "MALLOC_ARENA_MAX"}.isdisjoint(os.environ):
        return False
    mallopt = ctypes.CDLL(None).mallopt
    is_kept = mallopt(_M_TRIM_THRESHOLD, KEPT_BYTES)
    return bool(is_kept and mallopt(_M_ARENA_MAX, max(2, usable_cores())))


def trim_heap() -> None:
    """Returns freed memory to the operating system now, cycles of objects included."""
    gc.collect()
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)
