"""Decodes image files into upright RGB images: supported formats only, sizes checked first.

It differs from the exporter's script where that script is wrong: it loses the EXIF rotation of
images that are not RGB, and clips 16-bit grey to white.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import ExifTags, Image, WebPImagePlugin, features

from image_classifier.concurrency.allocator import keep_heap, return_large_blocks
from image_classifier.errors import ImageTooLarge, TooManyRequests, UnsupportedImage
from image_classifier.images.avif_limits import has_long_lists
from image_classifier.images.jpeg_scans import count_scans
from image_classifier.images.pillow_limits import open_within_limits

__all__ = [
    "MAX_RLE_PIXELS",
    "MAX_SCANS",
    "MAX_SIDE",
    "SUPPORTED_FORMATS",
    "decode",
    "read_header",
    "read_pixels",
]

logger = logging.getLogger(__name__)

# Pillow's other plug-ins are never tried: each would be code that an attacker could reach.
SUPPORTED_FORMATS: tuple[str, ...] = (
    "JPEG",
    "PNG",
    "GIF",
    "BMP",
    "WEBP",
    "TIFF",
    *(("AVIF",) if features.check("avif") else ()),
)
# Progressive JPEG: encoders write 10 scans, optimisers up to 20; libtiff's bound is 100 too.
MAX_SCANS = 100
# The longest of JPEG and GIF. Memory grows with the rows and with the factor of their reduction:
# 1 x 49 million pixels take 2 GB.
MAX_SIDE = 65_535
# For run-length encoded BMP, which Pillow decodes in Python, pixel by pixel: a screen of "4K".
MAX_RLE_PIXELS = 3840 * 2160

return_large_blocks()  # nearly all large blocks are pixels
keep_heap()
# Every header is checked against MAX_IMAGE_PIXELS; Pillow's own limit could refuse allowed images.
Image.MAX_IMAGE_PIXELS = None
# Pillow's warnings of damaged metadata repeat text of the sender's, which must not reach the log.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")

_FORMATS_IN_WORDS = ", ".join(SUPPORTED_FORMATS[:-1]) + " or " + SUPPORTED_FORMATS[-1]

# EXIF orientation -> the transposition that turns the image upright.
_UPRIGHT: Mapping[Any, Image.Transpose] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def decode(data: bytes, *, max_pixels: int) -> Image.Image:
    """Decodes an encoded image: the first frame, upright, in mode RGB.

    Args:
        data: the complete file.
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
    """Reads and checks the size; the first half of ``decode``, which decodes no pixel."""

    def check_size(width: int, height: int) -> None:
        if width * height > max_pixels:
            raise ImageTooLarge(
                f"The image has {width} x {height} = {width * height} pixels; at most {max_pixels} "
                "are allowed (MAX_IMAGE_PIXELS). Send a smaller image.",
                in_pixels=True,
            )
        if max(width, height) > MAX_SIDE:
            raise ImageTooLarge(
                f"The image has {width} x {height} pixels; no side may have more than {MAX_SIDE}. "
                "Send a smaller image.",
                in_pixels=True,
            )

    if data[4:8] == b"ftyp" and has_long_lists(data):
        raise UnsupportedImage(
            "The AVIF file is made of more parts or frames than can be opened in reasonable time. "
            "Save the image as one part, or as JPEG or PNG, and send that."
        )
    try:
        image = open_within_limits(data, SUPPORTED_FORMATS, check_size)
    except ImageTooLarge:
        raise
    except MemoryError as exc:
        raise _no_memory() from exc
    except Exception as exc:  # only Pillow runs there, so any error is the file's fault
        raise UnsupportedImage(
            f"This is {_what_it_looks_like(data)}, not an image that can be decoded. "
            f"Send a {_FORMATS_IN_WORDS} file."
        ) from exc
    check_size(*image.size)
    _check_work(image, data)
    return image


def read_pixels(image: Image.Image) -> Image.Image:
    """Decodes the result of ``read_header`` and uses it up; the second half of ``decode``."""
    try:
        return _to_rgb(_upright(_load(image)))
    except UnsupportedImage:
        raise
    except MemoryError as exc:
        raise _no_memory() from exc
    except Exception as exc:  # as above
        raise UnsupportedImage(
            f"The image's {image.format} data cannot be decoded: the file is damaged, cut short or "
            "of an unusual kind. Save it again and send that."
        ) from exc


def _check_work(image: Image.Image, data: bytes) -> None:
    """Rejects the two kinds of files whose few bytes and pixels cause much work."""
    if image.format in ("JPEG", "MPO") and count_scans(data, enough=MAX_SCANS + 1) > MAX_SCANS:
        raise UnsupportedImage(
            f"The JPEG file has more than {MAX_SCANS} scans. Save it again, as a baseline JPEG, "
            "and send that."
        )
    is_rle = image.format == "BMP" and image.info.get("compression") in (1, 2)
    if is_rle and image.width * image.height > MAX_RLE_PIXELS:
        raise ImageTooLarge(
            f"The image has {image.width} x {image.height} pixels; at most {MAX_RLE_PIXELS} are "
            "allowed in a BMP file with run-length encoding. Save it as PNG and send that.",
            in_pixels=True,
        )


def _no_memory() -> TooManyRequests:
    """Makes the error for a MemoryError, which does not blame the file: it may be fine."""
    logger.warning("no memory to decode an image")
    return TooManyRequests(
        "The app has too little memory for this image right now. Try again a little later, or "
        "send a smaller image."
    )


def _load(image: Image.Image) -> Image.Image:
    """Decodes the pixels of the first frame."""
    if not isinstance(image, WebPImagePlugin.WebPImageFile):
        image.load()
        return image
    # image.load() would copy the pixels while libwebp still holds them twice: 16 bytes a pixel.
    pixels = image._get_next()[0]
    del image._decoder
    frame = Image.frombuffer(image.rawmode, image.size, pixels, "raw", image.rawmode, 0, 1)
    frame.info = image.info
    return frame


def _upright(image: Image.Image) -> Image.Image:
    """Applies the EXIF orientation; unreadable metadata counts as none.

    ImageOps.exif_transpose would also rewrite the metadata: up to 7 s and 400 MB per image.
    """
    try:
        method = _UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation))
    except MemoryError:
        raise
    except Exception:  # as in read_pixels
        return image
    if method is None:
        return image
    turned = image.transpose(method)
    image.close()  # frees its pixels, although the caller may still hold it
    return turned


def _to_rgb(image: Image.Image) -> Image.Image:
    """Converts any of Pillow's modes to RGB."""
    if image.mode == "RGB":
        return image
    if image.mode.startswith("I"):
        # 16-bit grey. Pillow's own conversion clips: every value above 255 would turn white.
        wide = np.asarray(image)
        if wide.dtype.itemsize > 2:
            wide = wide.clip(0, 65535)
        image.close()
        return Image.fromarray((wide >> 8).astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        raise UnsupportedImage(
            "The image has floating-point pixels, whose range nothing tells. Save it with 8 bits "
            "a channel and send that."
        )
    # Alpha is dropped, as the exporter does; for palettes this also spares Pillow a warning.
    image.info.pop("transparency", None)
    rgb = image.convert("RGB")
    image.close()  # as above
    return rgb


def _what_it_looks_like(data: bytes) -> str:
    """Names the kind of a file that people send by mistake, for the error message."""
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
        return "a HEIC image"
    return "damaged data or a file of another kind"
