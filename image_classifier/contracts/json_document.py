"""Reads JSON as TensorFlow Serving's parser (RapidJSON) does, with its words for what is wrong.

Python's own parser does the work. Where the two differ, and to say what RapidJSON would say of a
faulty document, there is the rest of this module.
"""

from __future__ import annotations

import json
import re
from typing import Any

from image_classifier.contracts.json_values import shown
from image_classifier.contracts.serving_error import Code, ServingError

__all__ = ["parse"]

_BOM = b"\xef\xbb\xbf"
_BLANK = re.compile(r"[ \n\r\t]*")
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)
_STRING_OR_SHORT_WORD = re.compile(r'"(?:[^"\\]|\\.)*"|-NaN|Inf(?!inity)', re.DOTALL)
_SURROGATES = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_LARGE_EXPONENT = re.compile(r"[eE]\+?0*[1-9]\d\d")
_WORDS = ("null", "true", "false", "NaN", "Infinity")
_MANY_DIGITS = "Number too big to be stored in double."
# Each takes 64 bytes and more in memory but 3 in a body.
_MOST_OBJECTS = 1_000_000


def parse(body: bytes) -> dict[str, Any]:
    """Parses a request's body; what follows the first document is ignored.

    Strings may hold bytes that are no UTF-8, as surrogates (``errors="surrogateescape"``); of
    members with the same name the first counts.

    Raises:
        ServingError: it is not JSON, or not an object.
    """
    if not body:
        raise _error("JSON Parse error: The document is empty")
    if body.count(b"{") > _MOST_OBJECTS:
        raise _error(
            f"The JSON has more than {_MOST_OBJECTS} objects. Send plain lists, or fewer at a time."
        )
    text = body.removeprefix(_BOM).decode("utf-8", "surrogateescape")
    document = _parse(text)
    if not isinstance(document, dict):
        raise _error(f"JSON Value: {shown(document)} Is not object")
    return document


def _parse(text: str) -> Any:
    begin = _skip_blank(text, 0)
    if begin == len(text):
        raise _parse_error(text, begin, "The document is empty.")
    if "\\u" in text:
        _check_surrogates(text)
    decoder = _EXACT if _LARGE_EXPONENT.search(text) else _FAST
    try:
        return decoder.raw_decode(text, begin)[0]
    except json.JSONDecodeError as exc:
        # Words that RapidJSON knows and Python does not.
        longer = _STRING_OR_SHORT_WORD.sub(_longer_word, text)
        if longer != text:
            return _parse(longer)
        raise _explained(text, exc) from None
    except RecursionError:
        raise _error("JSON Parse error: the document is nested too deeply.") from None
    except (_TooBig, ValueError) as exc:
        place = exc.text if isinstance(exc, _TooBig) else ""
        raise _parse_error(text, max(text.find(place), 0), _MANY_DIGITS) from None


def _skip_blank(text: str, position: int) -> int:
    found = _BLANK.match(text, position)
    return found.end() if found else position


def _first_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        members = {}
        for name, value in pairs:
            members.setdefault(name, value)
    return members


class _TooBig(Exception):
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise _TooBig(text)
    return value


_FAST = json.JSONDecoder(object_pairs_hook=_first_members)
_EXACT = json.JSONDecoder(object_pairs_hook=_first_members, parse_float=_finite)


def _longer_word(found: re.Match[str]) -> str:
    word = found[0]
    return {"Inf": "Infinity", "-NaN": "NaN"}.get(word, word)


def _check_surrogates(text: str) -> None:
    """Half a pair is refused: Python would let it pass."""
    halves = _SURROGATE.search(_SURROGATES.sub(lambda pair: "x" * len(pair[0]), text))
    if halves:
        raise _parse_error(text, halves.start(), "The surrogate pair in string is invalid.")


def _explained(text: str, exc: json.JSONDecodeError) -> ServingError:
    """What RapidJSON says, and where, of a fault that Python found."""
    position, message = exc.pos, exc.msg
    if message.startswith("Illegal trailing comma"):  # Python 3.13; before it, the next character
        position = _skip_blank(text, position + 1)
        message = "Expecting property name" if "object" in message else "Expecting value"
    if message.startswith("Expecting property name"):
        return _parse_error(text, position, "Missing a name for object member.")
    if message.startswith("Expecting ':'"):
        return _parse_error(text, position, "Missing a colon after a name of object member.")
    if message.startswith("Expecting ','"):
        return _after_value(text, position)
    if message.startswith("Expecting value"):
        return _parse_error(text, _end_of_word(text, position), "Invalid value.")
    if message.startswith("Unterminated string"):
        what = "Missing a closing quotation mark in string."
        return _parse_error(text, len(text), what)
    if message.startswith("Invalid control character"):
        if text[position] == "\0":
            return _parse_error(text, position, "Missing a closing quotation mark in string.")
        return _parse_error(text, position, "Invalid encoding in string.")
    position = text.rfind("\\", 0, position + 1)
    if message.startswith("Invalid \\u"):
        what = "Incorrect hex digit after \\u escape in string."
        return _parse_error(text, position, what)
    return _parse_error(text, position, "Invalid escape character in string.")


def _after_value(text: str, position: int) -> ServingError:
    """Something else than a comma or a bracket follows a value."""
    before, here = text[position - 1 : position], text[position : position + 1]
    if before.isdigit() and here == ".":
        return _parse_error(text, position + 1, "Miss fraction part in number.")
    if before.isdigit() and here in ("e", "E"):
        sign = text[position + 1 : position + 2] in ("+", "-")
        return _parse_error(text, position + 1 + sign, "Miss exponent in number.")
    depth: list[str] = []
    for found in _STRING_OR_BRACKET.finditer(text, 0, position):
        if found[0] in ("{", "["):
            depth.append(found[0])
        elif found[0] in ("}", "]"):
            depth.pop()
    what = (
        "Missing a comma or } after an object member."
        if depth and depth[-1] == "{"
        else "Missing a comma or ] after an array element."
    )
    return _parse_error(text, position, what)


def _end_of_word(text: str, position: int) -> int:
    """RapidJSON reads a word letter by letter, and says where it stopped."""
    if text[position : position + 1] == "-":
        position += 1
    best = 0
    for word in _WORDS:
        length = 0
        while (
            length < len(word) and text[position + length : position + length + 1] == word[length]
        ):
            length += 1
        best = max(best, length)
    return position + best


def _parse_error(text: str, position: int, what: str) -> ServingError:
    offset = len(text[:position].encode("utf-8", "surrogateescape"))
    return _error(f"JSON Parse error: {what} at offset: {offset}")


def _error(message: str) -> ServingError:
    return ServingError(Code.INVALID_ARGUMENT, message)
