"""Turns images of every form into the bytes of an image file."""

from __future__ import annotations

import io
import os
import struct
import zlib
from typing import Any, Protocol, Union

import numpy as np

from image_classifier_client.errors import InvalidInput
from image_classifier_client.tensors import Array

__all__ = ["Image", "file_bytes"]


class PillowImage(Protocol):
    """The part of ``PIL.Image.Image`` that is used; Pillow itself is not needed."""

    @property
    def mode(self) -> str:
        """Kind of its pixels."""

    def save(self, fp: Any, format: str | None = None, **params: Any) -> None:
        """Writes an image file."""

    def convert(self, mode: str, /) -> Any:
        """A copy with another kind of pixels."""

    def getextrema(self) -> Any:
        """Its least and its greatest value."""

    def getexif(self) -> Any:
        """Says which side is up."""


# A text is a path; bytes are a file's.
Image = Union[bytes, bytearray, memoryview, str, "os.PathLike[str]", Array, PillowImage]

_PNG_MODES = ("1", "L", "LA", "P", "RGB", "RGBA")
_ORIENTATION, _SHORT = 0x0112, 3  # EXIF's tag, and the type of its value
_COLOUR_TYPES = {1: 0, 3: 2, 4: 6}  # channels -> PNG's grey, RGB and RGBA


def file_bytes(image: Image) -> bytes:
    """Returns the image as a file: JPEG, PNG … as it is, pixels as PNG, which loses nothing.

    Args:
        image: the bytes of a file, the path of one, a Pillow image, or an array of pixels: uint8,
            [height, width] or [height, width, 1, 3 or 4 channels], RGB.

    Raises:
        InvalidInput: it is something else.
        OSError: the file cannot be read.
    """
    if isinstance(image, bytes | bytearray | memoryview):
        return bytes(image)
    if isinstance(image, str | os.PathLike):
        with open(image, "rb") as file:
            return file.read()
    if isinstance(image, np.ndarray):
        return _png_of_array(image)
    if callable(getattr(image, "save", None)) and hasattr(image, "getexif"):
        return _png_of_pillow(image)
    raise InvalidInput(
        f"A {type(image).__name__} is no image. Pass the bytes of an image file, a path, a "
        "Pillow image, or a uint8 array of shape [height, width, 3]."
    )


def _png_of_pillow(image: PillowImage) -> bytes:
    exif = _which_side_is_up(image)
    if image.mode == "I" and image.getextrema()[1] > 255:
        # 16-bit grey, which PNG holds. As RGB all that is above 255 would be white.
        image = image.convert("I;16")
    elif image.mode not in _PNG_MODES and not image.mode.startswith("I;16"):
        image = image.convert("RGB")
    made = io.BytesIO()
    image.save(made, format="PNG", compress_level=1, exif=exif)
    return made.getvalue()


def _which_side_is_up(image: PillowImage) -> bytes:
    """Makes EXIF data with the orientation, so that a photograph is turned as its file would be.

    All else is left out: Pillow reads metadata that it cannot write.
    """
    try:
        orientation = image.getexif().get(_ORIENTATION)
    except Exception:  # damaged metadata count as none, as the server has it
        return b""
    if orientation not in range(2, 9):
        return b""
    entry = struct.pack("<HHIHH", _ORIENTATION, _SHORT, 1, int(orientation), 0)
    return b"Exif\0\0" + struct.pack("<2sHIH", b"II", 42, 8, 1) + entry + bytes(4)


def _png_of_array(pixels: Array) -> bytes:
    shaped = pixels[..., np.newaxis] if pixels.ndim == 2 else pixels
    channels = shaped.shape[-1] if shaped.ndim == 3 else 0
    if pixels.dtype != np.uint8 or channels not in _COLOUR_TYPES or not pixels.size:
        raise InvalidInput(
            f"An array of type {pixels.dtype} and shape {list(pixels.shape)} is no image. Pass "
            "uint8, 0 to 255, of shape [height, width] or [height, width, channels] with 1, 3 or 4 "
            "channels. What the graph itself is fed goes to score_numpy_arrays."
        )
    height, width, _ = shaped.shape
    rows = np.zeros((height, 1 + width * channels), np.uint8)  # each begins with a 0: unfiltered
    rows[:, 1:] = shaped.reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, _COLOUR_TYPES[channels], 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 1)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
