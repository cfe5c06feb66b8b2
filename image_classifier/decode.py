"""Bytes -> RGB image: supported formats only, upright, with its size checked before decoding.

Differs from the exporter's script where that script is wrong: it loses the EXIF rotation of
images that are not RGB, and clips 16-bit grey to white.
"""

from __future__ import annotations

import contextlib
import io
import struct
import warnings
import zlib

import numpy as np
from PIL import Image, ImageOps, features

from image_classifier.errors import ImageTooLarge, UnsupportedImage

__all__ = ["SUPPORTED_FORMATS", "decode", "read_header", "read_pixels"]

# Pillow's other plug-ins are never tried: each of them is code that an attacker could reach.
SUPPORTED_FORMATS: tuple[str, ...] = (
    "JPEG",
    "PNG",
    "GIF",
    "BMP",
    "WEBP",
    "TIFF",
    *(("AVIF",) if features.check("avif") else ()),
)
# The limit of ours is checked on every header; Pillow's own would refuse what a setting allows.
Image.MAX_IMAGE_PIXELS = None
# Pillow warns of damaged metadata, in words that the sender chooses: not for our log.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")

_FORMATS_IN_WORDS = ", ".join(SUPPORTED_FORMATS[:-1]) + " or " + SUPPORTED_FORMATS[-1]

# What Pillow's decoders raise on damaged files; anything else is a bug and should be seen.
_DECODER_ERRORS = (
    OSError,
    ValueError,
    SyntaxError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    OverflowError,
    ZeroDivisionError,
    EOFError,
    MemoryError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)


def decode(data: bytes, *, max_pixels: int) -> Image.Image:
    """Decodes an encoded image: the first frame, upright, in mode RGB.

    Args:
        data: the whole file.
        max_pixels: largest width times height; checked from the header, before any pixel.

    Returns:
        The image, mode RGB, 8 bits a channel. Alpha is dropped, not composited; 16-bit grey is
        scaled to 8 bits.

    Raises:
        UnsupportedImage: the bytes are not an image in a supported format, or are damaged.
        ImageTooLarge: the image has more than ``max_pixels`` pixels.
    """
    return read_pixels(read_header(data, max_pixels=max_pixels))


def read_header(data: bytes, *, max_pixels: int) -> Image.Image:
    """The first half of ``decode``: the size is known and checked, no pixel is in memory yet."""
    image = _open(data)
    width, height = image.size
    if width * height > max_pixels:
        raise ImageTooLarge(
            f"The image has {width} x {height} = {width * height} pixels; at most {max_pixels} are "
            "allowed (MAX_IMAGE_PIXELS). Send a smaller picture."
        )
    return image


def read_pixels(image: Image.Image) -> Image.Image:
    """The second half of ``decode``, for what ``read_header`` gave."""
    try:
        image.load()
        _turn_upright(image)  # before the conversion, which would lose the EXIF data
        return _to_rgb(image)
    except _DECODER_ERRORS as exc:
        raise UnsupportedImage(
            f"The image's {image.format} data cannot be decoded: the file is damaged, cut short or "
            "of an unusual kind. Save it again and send that."
        ) from exc


def _open(data: bytes) -> Image.Image:
    """Reads the header only."""
    try:
        return Image.open(io.BytesIO(data), formats=SUPPORTED_FORMATS)
    except _DECODER_ERRORS as exc:
        raise UnsupportedImage(
            f"This is {_what_it_looks_like(data)}, not an image that can be decoded. "
            f"Send a {_FORMATS_IN_WORDS} file."
        ) from exc


def _turn_upright(image: Image.Image) -> None:
    """Applies the EXIF orientation; metadata that cannot be read counts as none."""
    with contextlib.suppress(*_DECODER_ERRORS):
        ImageOps.exif_transpose(image, in_place=True)


def _to_rgb(image: Image.Image) -> Image.Image:
    """Converts any of Pillow's modes to RGB."""
    if image.mode == "RGB":
        return image
    if image.mode.startswith("I"):
        # 16-bit grey. Pillow's own conversion clips: every value above 255 would turn white.
        wide = np.asarray(image).clip(0, 65535).astype(np.uint16)
        return Image.fromarray((wide >> 8).astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        raise UnsupportedImage(
            "The image has floating-point pixels, whose range nothing tells. Save it with 8 bits "
            "a channel and send that."
        )
    # Alpha is dropped, as the exporter does; for palettes this also spares Pillow a warning.
    image.info.pop("transparency", None)
    return image.convert("RGB")


def _what_it_looks_like(data: bytes) -> str:
    """Names what people send by mistake, for the error message."""
    head = data[:512].lstrip().lower()
    if not data:
        return "empty"
    for magic, name in (
        (b"%pdf", "a PDF"),
        (b"pk\x03\x04", "a ZIP file"),
        (b"<!doctype html", "an HTML page"),
        (b"<html", "an HTML page"),
        (b"<svg", "an SVG drawing"),
        (b"{", "JSON"),
    ):
        if head.startswith(magic):
            return name
    if b"<svg" in head:
        return "an SVG drawing"
    if b"ftypheic" in head or b"ftypheix" in head or b"ftypmif1" in head:
        return "a HEIC picture"
    return "damaged data or a file of another kind"
