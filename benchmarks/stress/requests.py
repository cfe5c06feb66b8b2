"""Requests for the soak and the burst, each with the status that it must get."""

from __future__ import annotations

import base64
import io
import json
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from image_classifier.images.decode import SUPPORTED_FORMATS

CROWD_BYTES = 19_000_000


@dataclass(frozen=True)
class Ask:
    """One request to ``/api/classify`` and what must come of it."""

    name: str
    status: int
    body: bytes = field(repr=False)
    content_type: str = "application/octet-stream"
    query: str = ""


def good() -> list[Ask]:
    """Images as people send them, in every format and every way in."""
    photo = noise(1200, 900)
    asks = [Ask(f"{kind} 1200 x 900", 200, encoded(photo, kind)) for kind in SUPPORTED_FORMATS]
    small = encoded(noise(64, 48), "PNG")
    asks += [Ask("small png", 200, small), as_json(small), as_form(small)]
    return asks


def bad() -> list[Ask]:
    """What is refused at once."""
    jpeg = encoded(noise(600, 400), "JPEG")
    return [
        Ask("cut jpeg", 415, jpeg[: len(jpeg) // 2]),
        Ask("html page", 415, b"<!DOCTYPE html><title>not found</title>"),
        Ask("broken json", 400, b'{"image": ', "application/json"),
        Ask("broken base64", 400, b'{"image": "%%%"}', "application/json"),
        Ask("no image", 400, b""),
        Ask("unknown model", 404, jpeg, query="?model=none"),
        Ask("blocked address", 403, b"", query="?img=http://169.254.169.254/latest"),
        Ask("1000 million pixels", 413, flat_png(32_000, 32_000, rows=1)),
    ]


def huge() -> list[Ask]:
    """What takes as much time and memory as is allowed, and a little more."""
    return [
        Ask("49 million pixels", 200, flat_png(7000, 7000, rows=7000)),
        Ask("19 MB of png", 200, big_png()),
        Ask("21 MB of zeros", 413, bytes(21 * 2**20)),
    ]


def burst() -> list[Ask]:
    """The same 19 MB in each of the three ways that a body can be sent."""
    image = big_png()
    return [Ask("raw", 200, image), as_json(image), as_form(image)]


def as_json(data: bytes) -> Ask:
    text = json.dumps({"image": base64.b64encode(data).decode("ascii")})
    return Ask("json", 200, text.encode("ascii"), "application/json")


def as_form(data: bytes) -> Ask:
    head = b'--b\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
    return Ask("form", 200, head + data + b"\r\n--b--\r\n", "multipart/form-data; boundary=b")


def noise(width: int, height: int) -> Image.Image:
    rng = np.random.default_rng(width)
    return Image.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8))


def big_png() -> bytes:
    """An image that is about as long as a body may be."""
    return encoded(noise(3000, CROWD_BYTES // 9000), "PNG", compress_level=1)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    more: Mapping[str, object] = {"speed": 10} if kind == "AVIF" else {}
    stream = io.BytesIO()
    image.save(stream, kind, **more, **options)
    return stream.getvalue()


def flat_png(width: int, height: int, *, rows: int) -> bytes:
    """A black image in few bytes, of which only ``rows`` are there."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + checksum

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    packer = zlib.compressobj(1)
    row = bytes(1 + 3 * width)
    pixels = b"".join([*(packer.compress(row) for _ in range(rows)), packer.flush()])
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        [chunk(b"IHDR", header), chunk(b"IDAT", pixels), chunk(b"IEND", b"")]
    )
