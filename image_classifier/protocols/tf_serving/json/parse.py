"""Parses JSON as TensorFlow Serving's parser (RapidJSON) does, and reports faults in its words.

Python's own parser does the work; ``syntax_errors`` has the rules where the two differ.
"""

from __future__ import annotations

import json
import re
from typing import Any

from image_classifier.protocols.tf_serving.errors import invalid_argument
from image_classifier.protocols.tf_serving.json.syntax_errors import find_fault
from image_classifier.protocols.tf_serving.json.value_format import shown

__all__ = ["parse"]

_BOM = b"\xef\xbb\xbf"
_BLANK = re.compile(r"[ \n\r\t]*+")
# Python accepts half a surrogate pair, and numbers of any size.
_HALF_A_PAIR = re.compile(rb"\\u[dD][89a-fA-F]")
_LARGE_EXPONENT = re.compile(rb"[eE]\+?0*[1-9][0-9]{2}")
# Searched for after all digits were made zeros: a regular expression would be far slower.
_AS_ZEROS = bytes.maketrans(b"123456789", b"000000000")
_MANY_DIGITS = b"0" * 309
# Words that only RapidJSON knows; inside strings they are text.
_STRING_OR_SHORT_WORD = re.compile(r'"(?:[^"\\]|\\.)*+"|-NaN|Inf(?!inity)', re.DOTALL)
_LONGER_WORDS = {"Inf": "Infinity", "-NaN": "NaN"}
# Each takes 64 bytes and more in memory but 3 in a body.
_MOST_OBJECTS = 1_000_000


def parse(body: bytes) -> dict[str, Any]:
    """Parses a request's body; text after the first document is ignored.

    Strings may hold bytes that are not UTF-8, as surrogates (``errors="surrogateescape"``); of
    members with the same name the first counts.

    Raises:
        ServingError: it is not JSON, or not an object.
    """
    if not body:
        raise invalid_argument("JSON Parse error: The document is empty")
    if body.count(b"{") > _MOST_OBJECTS:
        raise invalid_argument(
            f"The JSON has more than {_MOST_OBJECTS} objects. Send plain lists, or fewer at a time."
        )
    if _is_suspect(body):
        _refuse_faults(body)
    document = _parse(body)
    if not isinstance(document, dict):
        raise invalid_argument(f"JSON Value: {shown(document)} Is not object")
    return document


def _is_suspect(body: bytes) -> bool:
    rest = body
    if b"\\" not in body:
        # Only the text between the strings: base64 is full of apparent exponents.
        rest = b'""'.join(body.split(b'"')[::2])
    elif _HALF_A_PAIR.search(body):
        return True
    return bool(
        _LARGE_EXPONENT.search(rest)
        or (len(rest) > len(_MANY_DIGITS) and _MANY_DIGITS in rest.translate(_AS_ZEROS))
    )


def _refuse_faults(body: bytes) -> None:
    fault = find_fault(body, len(_BOM) if body.startswith(_BOM) else 0)
    if fault is not None:
        raise invalid_argument(f"JSON Parse error: {fault}")


def _parse(body: bytes) -> Any:
    text = body.removeprefix(_BOM).decode("utf-8", "surrogateescape")
    try:
        return _decoded(text)
    except json.JSONDecodeError:
        _refuse_faults(body)
    # RapidJSON accepts it, so Python stumbled over words that it does not know.
    return _decoded(_STRING_OR_SHORT_WORD.sub(_longer_word, text))


def _decoded(text: str) -> Any:
    blank = _BLANK.match(text)
    try:
        return _DECODER.raw_decode(text, blank.end() if blank else 0)[0]
    except RecursionError:
        raise invalid_argument("JSON Parse error: the document is nested too deeply.") from None


def _longer_word(match: re.Match[str]) -> str:
    return _LONGER_WORDS.get(match[0], match[0])


def _first_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        members = {}
        for name, value in pairs:
            members.setdefault(name, value)
    return members


_DECODER = json.JSONDecoder(object_pairs_hook=_first_members)
