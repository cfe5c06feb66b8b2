"""Makes requests for the soak and the burst, each with the status that it must get."""

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
class Request:
    """One request to ``/api/classify`` and its expected status."""

    name: str
    status: int
    body: bytes = field(repr=False)
    content_type: str = "application/octet-stream"
    query: str = ""


def good() -> list[Request]:
    """Makes images as people send them, in every format and every kind of body."""
    photo = noise(1200, 900)
    requests = [
        Request(f"{kind} 1200 x 900", 200, encoded(photo, kind)) for kind in SUPPORTED_FORMATS
    ]
    small = encoded(noise(64, 48), "PNG")
    requests += [Request("small png", 200, small), as_json(small), as_form(small)]
    return requests


def bad() -> list[Request]:
    """Makes requests that are refused at once."""
    jpeg = encoded(noise(600, 400), "JPEG")
    return [
        Request("cut jpeg", 415, jpeg[: len(jpeg) // 2]),
        Request("html page", 415, b"<!DOCTYPE html><title>not found</title>"),
        Request("broken json", 400, b'{"image": ', "application/json"),
        Request("broken base64", 400, b'{"image": "%%%"}', "application/json"),
        Request("no image", 400, b""),
        Request("unknown model", 404, jpeg, query="?model=none"),
        Request("blocked address", 403, b"", query="?img=http://169.254.169.254/latest"),
        Request("1000 million pixels", 413, flat_png(32_000, 32_000, rows=1)),
    ]


def huge() -> list[Request]:
    """Makes requests that take as much time and memory as is allowed, and a little more."""
    return [
        Request("49 million pixels", 200, flat_png(7000, 7000, rows=7000)),
        Request("19 MB of png", 200, big_png()),
        Request("21 MB of zeros", 413, bytes(21 * 2**20)),
    ]


def burst() -> list[Request]:
    """Makes the same 19 MB in each of the three kinds of body."""
    image = big_png()
    return [Request("raw", 200, image), as_json(image), as_form(image)]


def as_json(data: bytes) -> Request:
    """Puts an image into JSON as base64."""
    text = json.dumps({"image": base64.b64encode(data).decode("ascii")})
    return Request("json", 200, text.encode("ascii"), "application/json")


def as_form(data: bytes) -> Request:
    """Puts an image into a form as a file."""
    head = b'--b\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
    return Request("form", 200, head + data + b"\r\n--b--\r\n", "multipart/form-data; boundary=b")


def noise(width: int, height: int) -> Image.Image:
    """An image that no format can compress."""
    rng = np.random.default_rng(width)
    return Image.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8))


def big_png() -> bytes:
    """Makes an image that is about as long as a body may be."""
    return encoded(noise(3000, CROWD_BYTES // 9000), "PNG", compress_level=1)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    """Encodes an image in a format of Pillow's."""
    more: Mapping[str, object] = {"speed": 10} if kind == "AVIF" else {}
    stream = io.BytesIO()
    image.save(stream, kind, **more, **options)
    return stream.getvalue()


def flat_png(width: int, height: int, *, rows: int) -> bytes:
    """Makes a black image in few bytes, of which only ``rows`` are there."""

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
