"""Hostile image files, each with the answer it must get. All are made here, none is downloaded.

``python -m tests.support.hostile_images FOLDER`` writes them as files, to look at or to feed to
others.
"""

from __future__ import annotations

import io
import struct
import sys
import zlib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, features

from tests.support.builders import noise
from tests.support.image_parts import (
    BYTE,
    FLOAT,
    LONG,
    RATIONAL,
    SHORT,
    avif_grid,
    big_tiff,
    bmp,
    box,
    exif,
    gif,
    ifd,
    jpeg_segment,
    jpeg_with,
    overwritten,
    png,
    png_chunk,
    progressive_jpeg,
    replaced,
    riff,
    saved,
    small,
    three_bytes,
    tiff,
    zeros_compressed,
)

FULL = 20 * 2**20 - 2000  # as long as a body may be, with room for the rest of a file
OK, TOO_LARGE, NO_IMAGE = (200, None), (413, "ImageTooLarge"), (415, "UnsupportedImage")

Answer = tuple[int, str | None]
Make = Callable[[], bytes]

ONE = b"\x01\x00\x00\x00\x01\x00\x00\x00"  # 1/1 as a TIFF rational
LINE_END = b"\x01\x00\x00\x00"  # run-length: one pixel, the rest of the line is black
CAMERA: dict[
    str, tuple[str, dict[str, object]]
] = {  # real encoders' output to damage: kind -> options
    "jpeg": ("JPEG", {}),
    "progressive jpeg": ("JPEG", {"progressive": True}),
    "png": ("PNG", {}),
    "gif": ("GIF", {}),
    "bmp": ("BMP", {}),
    "webp": ("WEBP", {}),
    "lossless webp": ("WEBP", {"lossless": True}),
    "tiff": ("TIFF", {}),
    "lzw tiff": ("TIFF", {"compression": "tiff_lzw"}),
    "deflate tiff": ("TIFF", {"compression": "tiff_adobe_deflate"}),
    "jpeg tiff": ("TIFF", {"compression": "jpeg"}),
    "avif": ("AVIF", {"speed": 10}),
}


def photo(name: str) -> bytes:
    kind, options = CAMERA[name]
    return saved(noise((120, 90)), kind, **options)


def cut(name: str, percent: int) -> bytes:
    whole = photo(name)
    return whole[: len(whole) * percent // 100]


def png_with_bomb(kind: bytes, head: bytes) -> bytes:
    bomb = png_chunk(kind, head + zeros_compressed(2**26))
    return png(16, 16, zlib.compress(bytes(17 * 16)), before=bomb)


def rle(width: int, height: int, body: bytes, *, bits: int = 8) -> bytes:
    return bmp(width, height, body, bits=bits, compression=1 if bits == 8 else 2)


def strips(width: int, height: int, compression: int, strip: bytes, rows: int) -> bytes:
    """An RGB TIFF all of whose strips are the same bytes."""
    count = height // rows
    return tiff(
        width,
        height,
        (258, SHORT, 3, struct.pack("<3H", 8, 8, 8)),
        (259, SHORT, 1, compression),
        (262, SHORT, 1, 2),
        (277, SHORT, 1, 3),
        (278, LONG, 1, rows),
        (273, LONG, count, struct.pack("<L", 8) * count),
        (279, LONG, count, struct.pack("<L", len(strip)) * count),
        data=strip,
    )


def frames_avif(samples: int) -> bytes:
    """An animation of as many frames of one byte, which needs no list of them."""
    images = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue", "green")]
    data = saved(images[0], "AVIF", save_all=True, append_images=images[1:], speed=10)
    start = data.index(b"stsz") - 4
    sizes = box(b"stsz", struct.pack(">III", 0, 1, samples)) + box(b"free", bytes(4))
    data = data[:start] + sizes + data[start + 32 :]
    durations = b"\x00\x00\x00\x01%b\x00\x00\x00\x01"
    three, many = struct.pack(">I", 3), struct.pack(">I", samples)
    data = replaced(data, (durations % three, durations % many))
    chunks = data.index(b"stsc") + 16
    return data[:chunks] + many + data[chunks + 4 :] + bytes(samples)


def sixteen_bit_colour(colour: int) -> bytes:
    channels = {2: 3, 4: 2, 6: 4}[colour]
    rows = (b"\x00" + b"\xff\xff" * channels * 8) * 8
    return png(8, 8, zlib.compress(rows), bits=16, colour=colour)


def endless_webp(parts: int) -> bytes:
    frame = small("WEBP", lossless=True)[12:]
    frame = bytes(6) + three_bytes(15) * 2 + three_bytes(10) + b"\x00" + frame
    canvas = b"\x02\x00\x00\x00" + three_bytes(15) * 2
    return riff((b"VP8X", canvas), (b"ANIM", bytes(6)), *[(b"ANMF", frame)] * parts)


def vp8l(width: int, height: int, rest: bytes = bytes(4)) -> bytes:
    return riff((b"VP8L", b"\x2f" + struct.pack("<I", width - 1 | (height - 1) << 14) + rest))


def grey(size: tuple[int, int] = (16, 16), mode: str = "L") -> Image.Image:
    return Image.new("RGB", size, "gray").convert(mode)


def looped(entries: tuple[tuple[int, int, int, int | bytes], ...]) -> bytes:
    """A JPEG whose EXIF directory is its own Exif, GPS, Interop and next directory."""
    body = b"Exif\x00\x00II*\x00\x08\x00\x00\x00" + ifd(entries, 8, following=8)
    return jpeg_with(jpeg_segment(0xE1, body))


NOT_IMAGES: Mapping[str, tuple[Make, Answer]] = {
    "empty": (lambda: b"", (400, "InvalidRequest")),
    "one byte": (lambda: b"\xff", NO_IMAGE),
    "text": (lambda: b"no picture at all\n" * 20, NO_IMAGE),
    "20 MB of zeros": (lambda: bytes(FULL), NO_IMAGE),
    "svg": (lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><image href="/"/></svg>', NO_IMAGE),
    "pdf": (lambda: b"%PDF-1.7\n1 0 obj\n", NO_IMAGE),
    "zip": (lambda: b"PK\x03\x04" + bytes(60), NO_IMAGE),
    "html error page": (lambda: b"<!DOCTYPE html><title>404</title>", NO_IMAGE),
    "json": (lambda: b'{"error": "none"}', NO_IMAGE),
    "postscript": (lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", NO_IMAGE),
    "eps of Pillow": (lambda: small("EPS"), NO_IMAGE),
    "heic": (lambda: box(b"ftyp", b"heic", bytes(4), b"mif1heic"), NO_IMAGE),
    "wmf": (lambda: b"\xd7\xcd\xc6\x9a" + bytes(80), NO_IMAGE),
    "emf": (lambda: b"\x01\x00\x00\x00" + bytes(36) + b" EMF" + bytes(60), NO_IMAGE),
    "psd": (lambda: b"8BPS\x00\x01" + bytes(6) + b"\x00\x03" + bytes(90), NO_IMAGE),
    "fits": (lambda: b"SIMPLE  =                    T".ljust(2880), NO_IMAGE),
    "fli": (lambda: bytes(4) + b"\x11\xaf" + bytes(200), NO_IMAGE),
    "mpeg": (lambda: b"\x00\x00\x01\xb3\x01\x00\x10" + bytes(60), NO_IMAGE),
    "xbm": (lambda: b"#define im_width 8\n#define im_height 8\n", NO_IMAGE),
    **{
        f"{kind.lower()} of Pillow": (partial(small, kind), NO_IMAGE)
        for kind in ("ICO", "ICNS", "PPM", "PCX", "TGA", "DDS", "SGI", "IM", "JPEG2000", "DIB")
    },
}

CUT: dict[str, tuple[Make, Answer]] = {
    f"{name} cut at {percent} %": (partial(cut, name, percent), NO_IMAGE)
    for name in CAMERA
    for percent in (2, 50, 97)
}

DAMAGED: Mapping[str, tuple[Make, Answer]] = {
    "png with a damaged header": (lambda: overwritten(photo("png"), 0, b"\x89PNX"), NO_IMAGE),
    "png with a wrong checksum": (
        lambda: replaced(photo("png"), (b"\x00\x00\x00\x78", b"\x00\x00\x00\x79")),
        NO_IMAGE,
    ),
    "png with damaged deflate data": (
        lambda: overwritten(photo("png"), 0.1, b"\xff" * 900),
        NO_IMAGE,
    ),
    "deflate tiff with damaged data": (
        lambda: overwritten(photo("deflate tiff"), 0.2, b"\xff" * 900),
        NO_IMAGE,
    ),
    "gif with damaged lzw data": (
        lambda: gif((16, 16), (16, 16), data=b"\x02\x05\xff\xff\xff\xff\xff\x00"),
        NO_IMAGE,
    ),
    "gif without an image": (lambda: gif((16, 16), (16, 16), frames=0), NO_IMAGE),
    "gif whose image is too short": (lambda: gif((16, 16), (16, 16)), NO_IMAGE),
    "jpeg without tables": (
        lambda: b"\xff\xd8" + photo("jpeg")[photo("jpeg").index(b"\xff\xc0") :],
        NO_IMAGE,
    ),
    "jpeg with a damaged huffman table": (
        lambda: replaced(photo("jpeg"), (b"\xff\xc4\x00\x1f\x00", b"\xff\xc4\x00\x1f\x00\xff\xff")),
        NO_IMAGE,
    ),
    "jpeg of 12 bits": (lambda: replaced(photo("jpeg"), (b"\x11\x08", b"\x11\x0c")), NO_IMAGE),
    "jpeg without scans": (
        lambda: photo("jpeg")[: photo("jpeg").index(b"\xff\xda")] + b"\xff\xd9",
        NO_IMAGE,
    ),
    "webp with damaged data": (
        lambda: overwritten(photo("lossless webp"), 0.01, b"\xff" * 400),
        NO_IMAGE,
    ),
    "webp of unknown kind": (lambda: riff((b"VP9 ", bytes(40))), NO_IMAGE),
    "webp of nothing": (lambda: vp8l(16, 16), NO_IMAGE),
    "avif with damaged data": (lambda: overwritten(photo("avif"), 0.03, b"\xff" * 900), NO_IMAGE),
    "avif without boxes": (lambda: box(b"ftyp", b"avif", bytes(4), b"avif"), NO_IMAGE),
    "bmp of unknown depth": (lambda: bmp(8, 8, bytes(64), bits=7), NO_IMAGE),
    "bmp with a palette of 4 billion": (
        lambda: overwritten(bmp(8, 8, bytes(64)), 46 / (54 + 1024 + 64), b"\xff\xff\xff\xff"),
        NO_IMAGE,
    ),
    "png with a palette too short": (
        lambda: png(
            8,
            8,
            zlib.compress(b"\x00" + b"\xff" * 8) * 1,
            colour=3,
            before=png_chunk(b"PLTE", b"\x01\x02\x03"),
        ),
        OK,
    ),
}

LIES: Mapping[str, tuple[Make, Answer]] = {
    "png of 4 billion squared": (lambda: png(2**31 - 1, 2**31 - 1, b""), TOO_LARGE),
    "png of no width": (lambda: png(0, 16, b""), NO_IMAGE),
    "png of 49 MP without data": (lambda: png(7000, 7000, zlib.compress(b"")), NO_IMAGE),
    "jpeg of 65535 squared": (lambda: progressive_jpeg(65535, 65535, scans=1)[:400], TOO_LARGE),
    "jpeg of no height": (lambda: progressive_jpeg(64, 0, scans=1), NO_IMAGE),
    "jpeg of 49 MP without data": (
        lambda: progressive_jpeg(7000, 7000, scans=1)[:200] + b"\xff\xd9",
        OK,  # libjpeg fills up what an image that has an end does not tell; see SECURITY.md
    ),
    "gif of 65535 squared": (lambda: gif((65535, 65535), (1, 1)), TOO_LARGE),
    "gif that is cleared, 65535 squared": (
        lambda: gif((65535, 65535), (65535, 65535), extensions=b"!\xf9\x04\x08" + bytes(4)),
        TOO_LARGE,
    ),
    "gif with a frame larger than itself": (
        lambda: gif((1, 1), (65535, 65535), extensions=b"!\xf9\x04\x08" + bytes(4)),
        TOO_LARGE,
    ),
    "gif of no size": (lambda: gif((0, 0), (0, 0)), NO_IMAGE),
    "bmp of 2 billion squared": (lambda: bmp(2**31 - 1, 2**31 - 1, b""), TOO_LARGE),
    "bmp of negative width": (lambda: bmp(-16, 16, bytes(256)), TOO_LARGE),
    "bmp of no width": (lambda: bmp(0, 16, b""), NO_IMAGE),
    "webp of 16383 squared": (lambda: vp8l(16384, 16383), TOO_LARGE),
    "webp with a canvas of 16 million squared": (
        lambda: riff((b"VP8X", bytes(4) + b"\xff" * 6), (b"VP8L", vp8l(16, 16)[20:])),
        TOO_LARGE,
    ),
    "webp whose canvas is not its image": (
        lambda: riff(
            (b"VP8X", bytes(4) + three_bytes(6999) * 2),
            (b"VP8L", small("WEBP", lossless=True)[20:]),
        ),
        NO_IMAGE,
    ),
    "tiff of 4 billion squared": (lambda: tiff(2**32 - 1, 2**32 - 1), TOO_LARGE),
    "tiff of no height": (lambda: tiff(16, 0), NO_IMAGE),
    "tiff with a width of 2.5 million fractions": (
        lambda: tiff(16, 16, (256, RATIONAL, FULL // 8, ONE * (FULL // 8))),
        NO_IMAGE,
    ),
    "tiff with one strip of 4 GB": (
        lambda: tiff(16, 16, (259, SHORT, 1, 5), (279, LONG, 1, 2**32 - 1)),
        NO_IMAGE,
    ),
    "tiff with tiles of 4 billion squared": (
        lambda: tiff(
            16,
            16,
            (259, SHORT, 1, 5),
            (322, LONG, 1, 2**31 - 16),
            (323, LONG, 1, 2**31 - 16),
            (324, LONG, 1, 8),
            (325, LONG, 1, 256),
        ),
        NO_IMAGE,
    ),
    "tiff with a strip outside": (lambda: tiff(16, 16, (273, LONG, 1, 2**31)), NO_IMAGE),
    "tiff of 65535 samples": (lambda: tiff(16, 16, (277, SHORT, 1, 65535)), NO_IMAGE),
    "tiff without a directory": (lambda: b"II*\x00\xff\xff\xff\xff", NO_IMAGE),
    "avif of 16000 squared": (
        lambda: replaced(
            small("AVIF", speed=10),
            (b"ispe" + bytes(4) + struct.pack(">II", 16, 16),
             b"ispe" + bytes(4) + struct.pack(">II", 16000, 16000)),
        ),
        TOO_LARGE,
    ),
    "avif of 4 billion squared": (
        lambda: replaced(
            small("AVIF", speed=10),
            (b"ispe" + bytes(4) + struct.pack(">II", 16, 16), b"ispe" + bytes(4) + b"\xff" * 8),
        ),
        NO_IMAGE,
    ),
    "avif grid that claims more than its cells": (lambda: avif_grid(2, 2, width=32000), NO_IMAGE),
}  # fmt: skip

BOMBS: Mapping[str, tuple[Make, Answer]] = {
    # Allowed: 49 million pixels in few bytes
    "png of 49 MP": (lambda: png(7000, 7000, zeros_compressed(7001 * 7000)), OK),
    "png of 49 MP, colour with alpha": (
        lambda: png(7000, 7000, zeros_compressed((7000 * 4 + 1) * 7000), colour=6),
        OK,
    ),
    "png of 49 MP, 16-bit grey": (
        lambda: png(7000, 7000, zeros_compressed((7000 * 2 + 1) * 7000), bits=16),
        OK,
    ),
    "progressive jpeg of 49 MP": (
        lambda: progressive_jpeg(7000, 7000, scans=10, components=3),
        OK,
    ),
    "progressive cmyk jpeg of 49 MP": (
        lambda: progressive_jpeg(7000, 7000, scans=10, components=4),
        OK,
    ),
    "gif of 49 MP": (lambda: saved(grey((7000, 7000)), "GIF"), OK),
    "webp of 49 MP": (lambda: small("WEBP", size=(7000, 7000), lossless=True, method=0), OK),
    "tiff of 49 MP in 7000 strips that are one": (
        lambda: strips(7000, 7000, 32773, b"\x81\xff" * 164 + b"\xf9\xff", 1),
        OK,
    ),
    "avif of 49 MP": (lambda: small("AVIF", size=(7000, 7000), speed=10), OK),
    "png of 65535 by 762": (lambda: png(65535, 762, zeros_compressed(65536 * 762)), OK),
    # Refused
    "png of 1 by 49 million": (
        lambda: png(1, 49_000_000, zeros_compressed(98_000_000)),
        TOO_LARGE,
    ),
    "png of 49 million by 1": (lambda: png(49_000_000, 1, zeros_compressed(10**6)), TOO_LARGE),
    "png of 1 GP": (lambda: png(32000, 32000, zeros_compressed(32_001 * 320)), TOO_LARGE),
    "tiff of 1 GP in strips that are one": (
        lambda: strips(32000, 32000, 32773, b"\x81\xff" * 750, 1),
        TOO_LARGE,
    ),
    "webp of 200 MP": (lambda: vp8l(16000, 12500), TOO_LARGE),
    "avif grid of 267 MP": (lambda: avif_grid(255, 256), NO_IMAGE),
    "avif grid of 11000 cells": (lambda: avif_grid(110, 100), NO_IMAGE),
    "avif of 2 million frames": (lambda: frames_avif(2_000_000), NO_IMAGE),
    "avif of 4000 empty boxes": (
        lambda: small("AVIF", speed=10) + box(b"free") * (FULL // 8),
        NO_IMAGE,
    ),
    "png with 4 GB of text": (
        lambda: png(16, 16, b"", before=b"\xff\xff\xff\xfftEXtComment\x00" + b"a" * 1000),
        NO_IMAGE,
    ),
    **{
        f"png with a {kind.decode()} of 64 MB": (partial(png_with_bomb, kind, head), NO_IMAGE)
        for kind, head in (
            (b"zTXt", b"a\x00\x00"),
            (b"iTXt", b"a\x00\x01\x00\x00\x00"),
            (b"iCCP", b"a\x00\x00"),
        )
    },
    "png with 60 texts of 1 MB": (
        lambda: png(
            16,
            16,
            zlib.compress(bytes(17 * 16)),
            before=png_chunk(b"zTXt", b"a\x00\x00" + zlib.compress(bytes(2**20))) * 60,
        ),
        OK,
    ),
    "png with 1.7 million chunks in front": (
        lambda: png(16, 16, b"", before=png_chunk(b"abCd", b"") * (FULL // 12)),
        NO_IMAGE,
    ),
    "png with 1.7 million chunks behind": (
        lambda: png(
            16, 16, zlib.compress(bytes(17 * 16)), after=png_chunk(b"abCd", b"") * (FULL // 12)
        ),
        NO_IMAGE,
    ),
    "png with 1.7 million empty parts": (
        lambda: png(16, 16, b"", after=png_chunk(b"IDAT", b"") * (FULL // 12)),
        NO_IMAGE,
    ),
    "apng of 4 billion frames": (
        lambda: png(
            16,
            16,
            zlib.compress(bytes(17 * 16)),
            before=png_chunk(b"acTL", b"\x7f\xff\xff\xff" + bytes(4)),
        ),
        OK,
    ),
    "gif of a million frames": (
        lambda: gif((1, 1), (1, 1), frames=1_000_000),
        OK,
    ),
    "gif with 10 million blocks": (
        lambda: gif((1, 1), (1, 1), extensions=b"!\xff\x01a" + b"\x01\x00" * (FULL // 2) + b"\x00"),
        NO_IMAGE,
    ),
    "gif with a comment of 20 MB": (
        lambda: gif(
            (1, 1), (1, 1), extensions=b"!\xfe" + (b"\xff" + b"a" * 255) * 80_000 + b"\x00"
        ),
        OK,
    ),
    "webp of 300,000 frames": (lambda: endless_webp(300_000), OK),
    "jpeg of 101 scans": (lambda: progressive_jpeg(7000, 7000, scans=101), NO_IMAGE),
    "jpeg of 100 scans": (lambda: progressive_jpeg(7000, 7000, scans=100), OK),
    "jpeg of 250,000 scans": (lambda: progressive_jpeg(7000, 7000, scans=250_000), NO_IMAGE),
    "jpeg with 300,000 scans of a thumbnail": (
        lambda: jpeg_with(jpeg_segment(0xE1, b"\xff\xda\x00\x02" * 15_000) * 300),
        OK,
    ),
    "jpeg with 300,000 scans behind its end": (
        lambda: small("JPEG") + b"\xff\xda\x00\x02" * 300_000,
        OK,
    ),
    "jpeg of 20 MB of padding": (lambda: b"\xff\xd8" + b"\xff" * FULL, NO_IMAGE),
    "jpeg of 20 MB of junk": (lambda: jpeg_with(jpeg_segment(0xE0, b"") + bytes(FULL)), NO_IMAGE),
    "jpeg with 5 million comments": (
        lambda: jpeg_with(jpeg_segment(0xFE, b"") * (FULL // 4 - 1000)),
        NO_IMAGE,
    ),
    "jpeg with 300,000 tables": (
        lambda: jpeg_with(jpeg_segment(0xDB, (b"\x00" + b"\x01" * 64) * 1000) * 300),
        OK,
    ),
    "jpeg with 20 MB of exif": (
        lambda: jpeg_with(jpeg_segment(0xE1, b"Exif\x00\x00" + b"a" * 65_000) * 300),
        OK,
    ),
    "jpeg with 16 MB of colour profile": (
        lambda: jpeg_with(
            b"".join(
                jpeg_segment(0xE2, b"ICC_PROFILE\x00" + bytes([part, 255]) + bytes(65_000))
                for part in range(1, 256)
            )
        ),
        OK,
    ),
    "jpeg whose exif is its own": (
        lambda: looped(
            ((0x112, SHORT, 1, 6), (0x8769, LONG, 1, 8), (0x8825, LONG, 1, 8), (0xA005, LONG, 1, 8))
        ),
        OK,
    ),
    "webp with exif of 2.5 million fractions": (
        lambda: small(
            "WEBP",
            exif=exif((0x112, SHORT, 1, 6), (0x9999, RATIONAL, FULL // 8, ONE * (FULL // 8))),
        ),
        OK,
    ),
    "webp turned by 2.5 million fractions": (
        lambda: small("WEBP", exif=exif((0x112, RATIONAL, FULL // 8, ONE * (FULL // 8)))),
        OK,
    ),
    "bmp of 49 MP, run-length": (lambda: rle(7000, 7000, LINE_END), TOO_LARGE),
    "bmp of 8 MP, run-length": (lambda: rle(3840, 2160, LINE_END * 2160), OK),
    "bmp of 5 million moves": (
        lambda: rle(1000, 1000, b"\x00\x02\x00\x00" * (FULL // 4)),
        NO_IMAGE,
    ),
    "bmp of 4 million steps": (
        lambda: rle(2000, 2000, b"\x01\x11" * (FULL // 2), bits=4),
        NO_IMAGE,
    ),
    "tiff with 5 million strips": (
        lambda: tiff(16, 16, (273, LONG, FULL // 4, b"\x08\x00\x00\x00" * (FULL // 4))),
        NO_IMAGE,
    ),
    "tiff with a resolution of 2.5 million fractions": (
        lambda: tiff(16, 16, (282, RATIONAL, FULL // 8, ONE * (FULL // 8))),
        NO_IMAGE,
    ),
    "tiff with exif of 2.5 million fractions": (
        lambda: tiff(16, 16, (0x8769, LONG, 1, 8 + 256 + 2 + 12 * 10 + 4))
        + ifd(
            ((0x9999, RATIONAL, FULL // 8, ONE * (FULL // 8)),), 8 + 256 + 2 + 12 * 10 + 4
        ),
        NO_IMAGE,
    ),
    "tiff whose next page is itself": (lambda: tiff(16, 16, following=264), OK),
    "tiff with 15,000 entries": (
        lambda: tiff(16, 16, *((tag, SHORT, 1, 1) for tag in range(50000, 65000))),
        OK,
    ),
    "bigtiff with a million entries": (lambda: big_tiff(1_000_000), NO_IMAGE),
}  # fmt: skip

UNUSUAL: Mapping[str, tuple[Make, Answer]] = {
    "jpeg and zip": (lambda: small("JPEG") + b"PK\x03\x04" + bytes(60), OK),
    "gif and html": (
        lambda: gif((1, 1), (1, 1), extensions=b"!\xfe\x19<script>alert(1)</script>\x00"),
        OK,
    ),
    "png and php": (lambda: small("PNG") + b"<?php system($_GET[0]); ?>", OK),
    "html and jpeg": (lambda: b"<html>" + small("JPEG"), NO_IMAGE),
    "bigtiff": (lambda: big_tiff(7), NO_IMAGE),
    "tiff of floats": (lambda: saved(Image.new("F", (8, 8), 0.5), "TIFF"), NO_IMAGE),
    "tiff in lab": (lambda: saved(Image.new("LAB", (8, 8)), "TIFF"), OK),
    "tiff in 1 bit": (lambda: small("TIFF", "1"), OK),
    "tiff as fax": (lambda: small("TIFF", "1", compression="group4"), OK),
    "tiff in cmyk": (lambda: small("TIFF", "CMYK"), OK),
    "tiff with jpeg": (lambda: small("TIFF", compression="jpeg"), OK),
    "tiff of unknown compression": (lambda: tiff(16, 16, (259, SHORT, 1, 34712)), NO_IMAGE),
    "tiff of 16-bit colour": (
        lambda: tiff(
            8,
            8,
            (258, SHORT, 3, struct.pack("<3H", 16, 16, 16)),
            (262, SHORT, 1, 2),
            (277, SHORT, 1, 3),
            data=bytes(384),
        ),
        OK,
    ),
    "tiff of 32-bit floats by hand": (
        lambda: tiff(8, 8, (258, SHORT, 1, 32), (339, SHORT, 1, 3), (33000, FLOAT, 1, 0)),
        NO_IMAGE,
    ),
    "tiff of two pages": (
        lambda: saved(grey(), "TIFF", save_all=True, append_images=[grey((9000, 9))]),
        OK,
    ),
    "tiff with a private tag of bytes": (
        lambda: tiff(16, 16, (65000, BYTE, 10**6, bytes(10**6))),
        OK,
    ),
    "png of 16-bit grey": (lambda: saved(Image.fromarray(np.ones((8, 8), np.uint16)), "PNG"), OK),
    **{
        f"png of 16-bit colour type {colour}": (partial(sixteen_bit_colour, colour), OK)
        for colour in (2, 4, 6)
    },
    "png of 3-bit grey": (lambda: png(8, 8, zlib.compress(bytes(72)), bits=3), NO_IMAGE),
    "png in 1 bit": (lambda: small("PNG", "1"), OK),
    "jpeg in cmyk": (lambda: small("JPEG", "CMYK"), OK),
    "jpeg in cmyk without Adobe's mark": (
        lambda: progressive_jpeg(16, 16, scans=8, components=4),
        OK,
    ),
    "jpeg in grey": (lambda: small("JPEG", "L"), OK),
    "jpeg of 1 pixel": (lambda: small("JPEG", size=(1, 1)), OK),
    "jpeg of 65500 by 1": (lambda: small("JPEG", size=(65500, 1)), OK),
    "webp with alpha": (lambda: small("WEBP", "RGBA"), OK),
    "animated webp": (
        lambda: saved(grey(), "WEBP", save_all=True, append_images=[grey((16, 16), "RGB")]),
        OK,
    ),
    "animated avif": (
        lambda: saved(
            grey((16, 16), "RGB"),
            "AVIF",
            save_all=True,
            append_images=[small_frame("red"), small_frame("blue")],
            speed=10,
        ),
        OK,
    ),
    "avif grid of 4 cells": (lambda: avif_grid(2, 2), OK),
    "gif with alpha": (lambda: small("GIF", "P", transparency=0), OK),
    "bmp in 1 bit": (lambda: small("BMP", "1"), OK),
    "bmp upside down": (lambda: bmp(16, -16, bytes(256)), OK),
    "bmp, run-length": (lambda: rle(16, 16, (b"\x10\x05\x00\x00") * 16 + b"\x00\x01"), OK),
}


def small_frame(colour: str) -> Image.Image:
    return Image.new("RGB", (16, 16), colour)


# Name -> how to make the file, and the status and code of its answer.
HOSTILE_IMAGES: Mapping[str, tuple[Make, Answer]] = {
    name: entry
    for group in (NOT_IMAGES, CUT, DAMAGED, LIES, BOMBS, UNUSUAL)
    for name, entry in group.items()
    if features.check("avif") or "avif" not in name
}


def main(folder: Path) -> None:
    """Writes the corpus, and what each file must be answered with."""
    folder.mkdir(parents=True, exist_ok=True)
    index = io.StringIO()
    for number, (name, (make, (status, code))) in enumerate(HOSTILE_IMAGES.items()):
        (folder / f"{number:03}.bin").write_bytes(make())
        index.write(f"{number:03}.bin\t{status}\t{code or '-'}\t{name}\n")
    (folder / "index.tsv").write_text(index.getvalue(), "utf-8")
    print(f"{len(HOSTILE_IMAGES)} files in {folder}; index.tsv has their names and answers")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
