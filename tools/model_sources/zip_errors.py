"""What zipfile raises for files that are damaged, of an unknown kind, or made to do harm."""

from __future__ import annotations

import lzma
import struct
import zipfile
import zlib

__all__ = ["ZIP_ERRORS"]

# Not OSError: that is the disk's, too.
ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OverflowError,
)
