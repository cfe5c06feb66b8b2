"""Compressed bodies are decompressed within the size limit."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib

import pytest

from image_classifier.errors import FetchFailed, ImageTooLarge
from tests.support.fetch_policies import LIMIT, fetch_answer
from tests.support.fetch_servers import ok


def zlib_bomb(wbits: int, size: int) -> bytes:
    packer = zlib.compressobj(6, zlib.DEFLATED, wbits)
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range(size >> 20)) + packer.flush()


@pytest.mark.parametrize(("encoding", "wbits"), [("gzip", 31), ("X-GZIP", 31), ("deflate", 15)])
def test_compression_bomb_is_cut_at_the_limit(encoding: str, wbits: int) -> None:
    bomb = zlib_bomb(wbits, 20 << 20)
    assert len(bomb) < LIMIT  # so that only what comes out of it is too large
    tracemalloc.start()
    try:
        with pytest.raises(ImageTooLarge):
            fetch_answer(ok(bomb, f"Content-Encoding: {encoding}"))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 2_000_000


@pytest.mark.parametrize("size", [1, 65_535, 65_536, 65_537, LIMIT])
def test_compressed_body_is_decompressed(size: int) -> None:
    body = (b"0123456789abcdef" * (size // 16 + 1))[:size]

    assert fetch_answer(ok(gzip.compress(body), "Content-Encoding: gzip")) == body
    assert fetch_answer(ok(zlib.compress(body), "Content-Encoding: deflate")) == body


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(b"image", mtime=0)[:-9]),
        ("gzip", b"not gzip at all"),
        ("deflate", b"\x00" * 50),
        ("gzip, gzip", gzip.compress(gzip.compress(b"image", mtime=0), mtime=0)),
        ("br", b"\x8b\x03\x80picture\x03"),
        ("zstd", b"\x28\xb5\x2f\xfd"),
        ("gzip;", b"x"),
    ],
)
def test_damaged_or_unasked_compression_fails(encoding: str, body: bytes) -> None:
    with pytest.raises(FetchFailed):
        fetch_answer(ok(body, f"Content-Encoding: {encoding}"))
