"""Lists the exceptions that zipfile raises for damaged, unknown and hostile files."""

from __future__ import annotations

import lzma
import struct
import zipfile
import zlib

__all__ = ["ZIP_ERRORS"]

# Without OSError, which disks raise, too.
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
