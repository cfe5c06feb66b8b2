"""Hostile zip files, each with words that its refusal must have; made byte by byte.

zipfile writes none of these: it would have to be lied to about its own files.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

STORED, DEFLATED, BZIP2, AES = 0, 8, 12, 99
UNIX = 3
LINK, PIPE, DEVICE = 0o120777 << 16, 0o010644 << 16, 0o060644 << 16  # a file's kind and mode
ENCRYPTED, UTF8 = 0x1, 0x800
MAX32 = 2**32 - 1
MIB = 1024**2

_LOCAL = "<4s5H3I2H"
_CENTRAL = "<4s6H3I5H2I"
_END = "<4s4H2IH"


@dataclass(frozen=True)
class Entry:
    """One file of a zip file, and what the directory says of it; None means the truth.

    Attributes:
        name: as bytes, for it need not be a text.
        data: its bytes in the zip file, compressed already.
        offset: where its header and data are, if not here: then none are written.
        extra: of the directory's entry.
        local_name: the name before the data.
        contents: what the data unpack to.
    """

    name: bytes
    data: bytes = b"x"
    method: int = STORED
    flags: int = UTF8
    attributes: int = 0
    crc: int | None = None
    packed: int | None = None
    unpacked: int | None = None
    offset: int | None = None
    extra: bytes = b""
    local_name: bytes | None = None
    contents: bytes | None = None


def deflated(name: bytes, contents: bytes) -> Entry:
    """An honest entry."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = packer.compress(contents) + packer.flush()
    return Entry(name, data, DEFLATED, contents=contents)


def zip_file(
    entries: Iterable[Entry],
    *,
    directory_bytes: int | None = None,
    directory_offset: int | None = None,
    before_end: bytes = b"",
) -> bytes:
    """Writes a zip file.

    Args:
        entries: in their order.
        directory_bytes: how long the end says the directory is.
        directory_offset: where the end says it is.
        before_end: where an end in 64 bits is looked for.
    """
    body, directory, written = bytearray(), bytearray(), 0
    for entry in entries:
        contents = entry.data if entry.contents is None else entry.contents
        crc = zlib.crc32(contents) if entry.crc is None else entry.crc
        packed = len(entry.data) if entry.packed is None else entry.packed
        unpacked = len(contents) if entry.unpacked is None else entry.unpacked
        offset = len(body) if entry.offset is None else entry.offset
        common = (entry.flags, entry.method, 0, 33, crc, packed, unpacked)
        if entry.offset is None:
            name = entry.name if entry.local_name is None else entry.local_name
            body += struct.pack(_LOCAL, b"PK\x03\x04", 20, *common, len(name), 0)
            body += name + entry.data
        made_by = UNIX << 8 | 20
        directory += struct.pack(
            _CENTRAL,
            b"PK\x01\x02",
            made_by,
            20,
            *common,
            len(entry.name),
            len(entry.extra),
            0,
            0,
            0,
            entry.attributes,
            offset,
        )
        directory += entry.name + entry.extra
        written += 1
    end = struct.pack(
        _END,
        b"PK\x05\x06",
        0,
        0,
        written,
        written,
        len(directory) if directory_bytes is None else directory_bytes,
        len(body) if directory_offset is None else directory_offset,
        0,
    )
    return bytes(body + directory + before_end + end)


def zip64(*sizes: int) -> bytes:
    """The extra field of sizes that take 8 bytes: unpacked, packed, as far as they do."""
    return struct.pack(f"<HH{len(sizes)}Q", 1, 8 * len(sizes), *sizes)


def end64(*, directory_bytes: int) -> bytes:
    """The end of a zip file of more than 4 GB, which replaces the usual one."""
    record = struct.pack("<4sQ2H2I4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 2, 2, directory_bytes, 0)
    return record + struct.pack("<4sIQI", b"PK\x06\x07", 0, 0, 1)


def cases(good: tuple[Entry, ...]) -> Mapping[str, tuple[bytes, str]]:
    """Zip files by what is wrong with them, and words of the refusal.

    Args:
        good: an export that would be added.
    """
    zeros = deflated(b"zeros", bytes(10 * MIB))
    # Compressed and summed once: the tests are collected in each process that runs some.
    megabyte = replace(deflated(b"0", bytes(MIB)), crc=zlib.crc32(bytes(MIB)))
    model = good[0]
    inner = deflated(b"b", b"a few bytes")
    inner_alone = zip_file([inner])[: struct.calcsize(_LOCAL) + 1 + len(inner.data)]
    short = deflated(b"model.pb", b"too little")
    honest = zip_file(good)

    def also(*entries: Entry) -> bytes:
        return zip_file([*good, *entries])

    lead_out, pairs, ordinary = "lead out", "one file on some disks", "no ordinary file"
    return {
        "an absolute path": (also(Entry(b"/tmp/evil")), lead_out),
        "a path upwards": (also(Entry(b"../evil")), lead_out),
        "a path upwards inside": (also(Entry(b"a/../../evil")), lead_out),
        "a path with a dot": (also(Entry(b"./model.pb")), lead_out),
        "a path with an empty part": (also(Entry(b"a//evil")), lead_out),
        "no path": (also(Entry(b"")), lead_out),
        "a folder upwards": (also(Entry(b"../", b"")), lead_out),
        "a drive": (also(Entry(b"C:evil")), lead_out),
        "backslashes": (also(Entry(b"..\\evil")), lead_out),
        "a NUL": (also(Entry(b"evil.txt\0.png")), "control characters"),
        "an escape sequence": (also(Entry(b"\x1b[2Jevil")), "control characters"),
        "a path without end": (also(Entry(b"a/" * 20_000 + b"b")), "too long"),
        "a name that is no UTF-8": (
            also(Entry(b"\xff\xfe")),
            "cannot be read: it is a zip file that is damaged",
        ),
        "the same name twice": (
            also(replace(model, data=b"y", method=STORED, contents=b"y")),
            pairs,
        ),
        "names that differ in case": (also(Entry(b"MODEL.PB")), pairs),
        "names that differ in form": (also(Entry(b"\xc3\xa9"), Entry(b"e\xcc\x81")), pairs),
        "a file that is a folder too": (also(Entry(b"model.pb/x")), "both a file and a folder"),
        "a link": (also(Entry(b"link", b"/etc/passwd", attributes=LINK)), ordinary),
        "a pipe": (also(Entry(b"pipe", b"", attributes=PIPE)), ordinary),
        "a device": (also(Entry(b"disk", b"", attributes=DEVICE)), ordinary),
        "encryption": (also(Entry(b"secret", flags=UTF8 | ENCRYPTED)), "is encrypted"),
        "encryption by AES": (also(Entry(b"secret", method=AES)), "method 99"),
        "another compression": (also(Entry(b"b", method=BZIP2)), "method 12"),
        "a model that is encrypted": (
            zip_file([replace(model, flags=UTF8 | ENCRYPTED), *good[1:]]),
            "is encrypted",
        ),
        "a bomb": (also(zeros), "no model shrinks like that"),
        "a bomb in 64 bits": (
            also(replace(zeros, unpacked=MAX32, extra=zip64(2**60))),
            "no model shrinks like that",
        ),
        "sizes in 64 bits that are not true": (
            also(replace(zeros, unpacked=MAX32, packed=MAX32, extra=zip64(2**60, 2**60))),
            "at most 2,147,483,648 are read",
        ),
        "sizes in 64 bits that are not there": (
            also(replace(zeros, unpacked=MAX32, packed=MAX32, extra=zip64(2**60))),
            "cannot be read: it is",
        ),
        "a directory of a petabyte": (
            zip_file(good, before_end=end64(directory_bytes=2**50)),
            "damaged",
        ),
        "a bomb of many files": (
            also(*(replace(megabyte, name=b"%d" % n) for n in range(2100))),
            "at most 2,147,483,648 are read",
        ),
        "files that share their data": (
            also(*(replace(zeros, name=b"%d" % n, unpacked=MIB, offset=0) for n in range(9))),
            "share their bytes",
        ),
        "a file inside another": (
            zip_file([Entry(b"a", inner_alone), replace(inner, offset=31), *good]),
            "share their bytes",
        ),
        "data that run into the directory": (
            also(Entry(b"last", b"x", packed=60, unpacked=60)),
            "runs into the directory",
        ),
        "too many files": (
            also(*(Entry(b"%d" % n, b"") for n in range(10_001))),
            "at most 10,000",
        ),
        "a directory that is too large": (
            also(*(Entry(b"%d" % n + b"/" * 60_000, b"") for n in range(90))),
            "cannot be read: it is a zip file that is damaged",
        ),
        "a directory that is not there": (
            zip_file(good, directory_bytes=10),
            "cannot be read: it is",
        ),
        "a directory past the end": (
            zip_file(good, directory_offset=MAX32 - 1),
            "is damaged",
        ),
        "a file past the end": (also(Entry(b"far", offset=2**31)), "is damaged"),
        "a file without its header": (also(Entry(b"far", offset=7)), "is damaged"),
        "another name before the data": (
            zip_file([replace(model, local_name=b"other.pb"), *good[1:]]),
            "model.pb is damaged",
        ),
        "more than it says": (
            zip_file([replace(model, unpacked=1000), *good[1:]]),
            "model.pb is damaged",
        ),
        "less than it says": (
            zip_file([replace(short, unpacked=1000, crc=zlib.crc32(b"too little")), *good[1:]]),
            "model.pb is damaged",
        ),
        "a wrong checksum": (zip_file([replace(model, crc=1), *good[1:]]), "model.pb is damaged"),
        "no compressed data": (
            zip_file([replace(model, data=b"\xff" * 50), *good[1:]]),
            "model.pb is damaged",
        ),
        "two sizes": (also(Entry(b"x", unpacked=5)), "two sizes"),
        "the first half": (honest[: len(honest) // 2], "damaged or cut short: download it again"),
        "all but the end": (honest[:-22], "damaged or cut short: download it again"),
        "nothing": (b"", "it is empty"),
        "no files": (zip_file([]), "there are no files in it"),
        "a web page": (b"<html>Sign in", "an HTML or XML page"),
        "a gzip archive": (b"\x1f\x8b\x08", "a gzip archive"),
        "something else": (b"hello", "Give the zip file from the portal"),
    }
