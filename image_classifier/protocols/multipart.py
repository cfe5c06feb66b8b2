"""Reads ``multipart/form-data``: the parts of a form as the bytes that were sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import (
    Data,
    Epilogue,
    Event,
    Field,
    File,
    MultipartDecoder,
    NeedData,
)

from image_classifier.errors import InvalidRequest

__all__ = ["EMPTY_BODY_HINT", "Part", "read_parts"]

# Clients send streams of unknown length in chunks; this hint explains why the body is empty here.
EMPTY_BODY_HINT = (
    " The Functions host passes on no body that is sent in chunks, without Content-Length: send "
    "the whole image at once (in JavaScript as a Buffer, not as a stream)."
)

# Each part of a form costs 20 µs, and 20 MB hold half a million of them.
_MOST_PARTS = 100
# The decoder is quickest with pieces of about this size.
_PIECE_BYTES = 2**16


@dataclass(frozen=True)
class Part:
    """One part of a form.

    Attributes:
        name: of the field; empty if the part has none.
        filename: the sender's name of the file; None if the part is no file.
        content: the bytes, never decoded as text.
    """

    name: str
    filename: str | None
    content: bytes


def read_parts(content_type: str, body: bytes) -> list[Part]:
    """Reads the parts of a form.

    Args:
        content_type: the request's header, with the boundary.
        body: the complete form.

    Raises:
        InvalidRequest: it is no such form, is cut short, or has more than 100 parts.
    """
    if not body:
        raise InvalidRequest(f"The multipart body cannot be read: it is empty.{EMPTY_BODY_HINT}")
    boundary = parse_options_header(content_type)[1].get("boundary", "")
    # Not werkzeug's form parser, which decodes parts without a file name as text.
    decoder = MultipartDecoder(boundary.encode("ascii", "replace"), max_parts=_MOST_PARTS)
    parts: list[Part] = []
    pieces: list[bytes] = []
    try:
        if not boundary:
            raise ValueError("its type names no boundary")
        for event in _events(decoder, body):
            if isinstance(event, Field | File):
                name, filename, pieces = event.name, getattr(event, "filename", None), []
            elif isinstance(event, Data):
                pieces.append(event.data)
                if not event.more_data:
                    parts.append(Part(name or "", filename, b"".join(pieces)))
    except RequestEntityTooLarge as exc:
        raise InvalidRequest(
            f"The multipart body has more than {_MOST_PARTS} parts; send one image, as in "
            "curl -F image=@image.jpg."
        ) from exc
    except (ValueError, UnicodeError) as exc:
        raise InvalidRequest(f"The multipart body cannot be read: {exc}.") from exc
    return parts


def _events(decoder: MultipartDecoder, body: bytes) -> Iterator[Event]:
    for start in range(0, len(body), _PIECE_BYTES):
        decoder.receive_data(body[start : start + _PIECE_BYTES])
        while not isinstance(event := decoder.next_event(), NeedData):
            yield event
    decoder.receive_data(None)
    while not isinstance(event := decoder.next_event(), Epilogue):
        yield event
