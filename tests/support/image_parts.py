"""Image files put together by hand, for what no encoder would write."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

# TIFF: tag, type, count, value (a number, or the bytes that are put behind the directory)
Entry = tuple[int, int, int, int | bytes]

BYTE, ASCII, SHORT, LONG, RATIONAL, FLOAT = 1, 2, 3, 4, 5, 11


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def small(kind: str, mode: str = "RGB", size: tuple[int, int] = (16, 16), **options: Any) -> bytes:
    """An honest little image."""
    return saved(Image.new("RGB", size, "red").convert(mode), kind, **options)


def large_photo() -> bytes:
    """8 megapixels of noise, which take a decoder some tenths of a second."""
    noise = np.random.default_rng(0).integers(0, 255, (2400, 3200, 3), np.uint8)
    return saved(Image.fromarray(noise), "JPEG", quality=50)


def jpeg_segment(marker: int, content: bytes) -> bytes:
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(content) + 2) + content


def jpeg_with(segments: bytes, image: bytes | None = None) -> bytes:
    """An image with segments put behind its start."""
    return b"\xff\xd8" + segments + (image or small("JPEG"))[2:]


def progressive_jpeg(width: int, height: int, *, scans: int, components: int = 1) -> bytes:
    """A grey, colour or CMYK image whose ``scans`` say nothing in a few bytes each."""
    blocks = -(-width // 8) * -(-height // 8)
    frame = struct.pack(">BHHB", 8, height, width, components)
    frame += b"".join(bytes([number, 0x11, 0]) for number in range(1, components + 1))
    # One code each: "no difference" for DC, "no more in up to 32767 blocks" for AC.
    tables = jpeg_segment(0xC4, b"\x00\x01" + bytes(15) + b"\x00")
    tables += jpeg_segment(0xC4, b"\x10\x01" + bytes(15) + b"\xe0")
    bits = "011111111111111" * max(1, -(-blocks // 32767))
    bits += "1" * (-len(bits) % 8)
    nothing = int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\x00")
    parts = [b"\xff\xd8", jpeg_segment(0xDB, b"\x00" + b"\x01" * 64), jpeg_segment(0xC2, frame)]
    parts.append(tables)
    for number in range(1, components + 1):
        parts += [jpeg_segment(0xDA, bytes([1, number, 0, 0, 0, 0])), bytes(-(-blocks // 8))]
    for scan in range(scans - components):
        number = scan % components + 1
        parts += [jpeg_segment(0xDA, bytes([1, number, 0, 1, 63, 0])), nothing]
    return b"".join([*parts, b"\xff\xd9"])


def png_chunk(kind: bytes, content: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + checksum


def png(
    width: int,
    height: int,
    pixels: bytes,
    *,
    bits: int = 8,
    colour: int = 0,
    before: bytes = b"",
    after: bytes = b"",
) -> bytes:
    """A PNG with a compressed stream and chunks before and behind it."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + before
        + png_chunk(b"IDAT", pixels)
        + after
        + png_chunk(b"IEND", b"")
    )


def zeros_compressed(count: int) -> bytes:
    """A zlib stream of ``count`` zero bytes, made without holding them."""
    packer = zlib.compressobj(1)
    block = bytes(2**20)
    parts = [packer.compress(block) for _ in range(count // len(block))]
    return b"".join([*parts, packer.compress(bytes(count % len(block))), packer.flush()])


def gif(
    screen: tuple[int, int],
    frame: tuple[int, int],
    *,
    extensions: bytes = b"",
    frames: int = 1,
    data: bytes = b"\x02\x02\x4c\x01\x00",
) -> bytes:
    """A GIF whose frames are all alike; ``data`` is one white pixel."""
    head = b"GIF89a" + struct.pack("<HHBBB", *screen, 0x80, 0, 0) + b"\x00\x00\x00\xff\xff\xff"
    image = b"," + struct.pack("<HHHHB", 0, 0, *frame, 0) + data
    return head + extensions + image * frames + b";"


def bmp(width: int, height: int, body: bytes, *, bits: int = 8, compression: int = 0) -> bytes:
    """A BMP with a palette of blues."""
    palette = b"".join(bytes([blue, 0, 0, 0]) for blue in range(1 << bits)) if bits <= 8 else b""
    start = 14 + 40 + len(palette)
    head = b"BM" + struct.pack("<IHHI", start + len(body), 0, 0, start)
    head += struct.pack(
        "<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(body), 0, 0, 0, 0
    )
    return head + palette + body


def ifd(entries: Sequence[Entry], start: int, *, following: int = 0) -> bytes:
    """A TIFF directory, little-endian, and behind it what does not fit into its entries."""
    behind = start + 2 + 12 * len(entries) + 4
    head, data = [struct.pack("<H", len(entries))], b""
    for tag, kind, count, value in entries:
        head.append(struct.pack("<HHL", tag, kind, count))
        if isinstance(value, int):
            head.append(struct.pack("<L", value))
        elif len(value) <= 4:
            head.append(value.ljust(4, b"\x00"))
        else:
            head.append(struct.pack("<L", behind + len(data)))
            data += value
    return b"".join([*head, struct.pack("<L", following), data])


def tiff(
    width: int = 16, height: int = 16, *more: Entry, data: bytes | None = None, following: int = 0
) -> bytes:
    """A grey TIFF of one strip; ``more`` entries are added, or replace those of the same tag."""
    entries: dict[int, Entry] = {
        256: (256, LONG, 1, width),
        257: (257, LONG, 1, height),
        258: (258, SHORT, 1, 8),
        259: (259, SHORT, 1, 1),
        262: (262, SHORT, 1, 1),
        277: (277, SHORT, 1, 1),
        278: (278, LONG, 1, height),
        273: (273, LONG, 1, 8),
        279: (279, LONG, 1, 256 if data is None else len(data)),
    } | {entry[0]: entry for entry in more}
    pixels = bytes(256) if data is None else data
    start = 8 + len(pixels) + len(pixels) % 2
    head = b"II*\x00" + struct.pack("<L", start) + pixels.ljust(start - 8, b"\x00")
    return head + ifd([entries[tag] for tag in sorted(entries)], start, following=following)


def big_tiff(entries: int) -> bytes:
    """A BigTIFF with as many entries, most of them the same."""
    real = [(256, 16), (257, 16), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1)]
    parts = [struct.pack("<HHQQ", tag, LONG, 1, value) for tag, value in real]
    parts += [struct.pack("<HHQQ", 9999, LONG, 1, 1)] * (entries - len(real))
    head = b"II+\x00\x08\x00\x00\x00" + struct.pack("<QQ", 16, len(parts))
    return head + b"".join(parts) + bytes(8)


def exif(*entries: Entry) -> bytes:
    return b"Exif\x00\x00II*\x00\x08\x00\x00\x00" + ifd(entries, 8)


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    """A WebP file of these chunks."""
    body = b"".join(
        kind + struct.pack("<I", len(content)) + content + b"\x00" * (len(content) % 2)
        for kind, content in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def three_bytes(value: int) -> bytes:
    return struct.pack("<I", value)[:3]


def box(kind: bytes, *content: bytes) -> bytes:
    """A box of the container that AVIF uses."""
    body = b"".join(content)
    return struct.pack(">I", len(body) + 8) + kind + body


def avif_grid(columns: int, rows: int, *, width: int | None = None, cell: int = 64) -> bytes:
    """An AVIF whose image is a grid of cells that are all the same few bytes."""
    one = small("AVIF", size=(cell, cell), speed=10)
    av1 = one[one.index(b"mdat") + 4 :]
    av1c = one[one.index(b"av1C") - 4 :][:12]
    cells = range(2, columns * rows + 2)
    size = (width or columns * cell, rows * cell)
    grid = struct.pack(">BBBBII", 0, 1, rows - 1, columns - 1, *size)  # 32-bit sizes

    def meta(start: int) -> bytes:
        places = [(1, start, len(grid)), *((n, start + len(grid), len(av1)) for n in cells)]
        iloc = struct.pack(">IBBI", 2 << 24, 0x44, 0, len(places)) + b"".join(
            struct.pack(">IHHHII", number, 0, 0, 1, *place) for number, *place in places
        )
        kinds = [(1, b"grid"), *((number, b"av01") for number in cells)]
        infe = [
            box(b"infe", struct.pack(">IIH", 3 << 24, number, 0) + kind + b"\x00")
            for number, kind in kinds
        ]
        iinf = struct.pack(">II", 1 << 24, len(infe)) + b"".join(infe)
        dimg = struct.pack(">IH", 1, len(cells)) + struct.pack(f">{len(cells)}I", *cells)
        pixi = box(b"pixi", b"\x00\x00\x00\x00\x03\x08\x08\x08")
        sizes = [box(b"ispe", struct.pack(">III", 0, *s)) for s in (size, (cell, cell))]
        ipma = struct.pack(">II", 1 << 24, len(cells) + 1) + struct.pack(">I", 1) + b"\x02\x01\x03"
        ipma += b"".join(struct.pack(">I", number) + b"\x03\x02\x03\x84" for number in cells)
        return box(
            b"meta",
            bytes(4),
            box(b"hdlr", bytes(8) + b"pict" + bytes(13)),
            box(b"pitm", struct.pack(">II", 1 << 24, 1)),
            box(b"iloc", iloc),
            box(b"iinf", iinf),
            box(b"iref", struct.pack(">I", 1 << 24), box(b"dimg", dimg)),
            box(b"iprp", box(b"ipco", *sizes, pixi, av1c), box(b"ipma", ipma)),
        )

    ftyp = box(b"ftyp", b"avif", bytes(4), b"avifmif1miafMA1B")
    start = len(ftyp) + len(meta(0)) + 8
    return ftyp + meta(start) + box(b"mdat", grid, av1)


def replaced(data: bytes, *changes: tuple[bytes, bytes]) -> bytes:
    """The bytes with the first of each pattern exchanged; the pattern must be there."""
    for old, new in changes:
        if old not in data:
            raise ValueError(f"{old!r} is not in the file")
        data = data.replace(old, new, 1)
    return data


def overwritten(data: bytes, place: float, new: bytes) -> bytes:
    """The bytes with some in the middle damaged; ``place`` is a part of the whole."""
    start = int(len(data) * place)
    return data[:start] + new + data[start + len(new) :]
