"""Finds the fault that RapidJSON, the parser of TensorFlow Serving, reports for a document.

It runs only for documents that Python's own parser refuses, or that RapidJSON seems to refuse.
The rules and the messages are those of RapidJSON 1.1.0, which TensorFlow Serving is built with.
"""

from __future__ import annotations

import re

__all__ = ["find_fault"]

_BLANK = re.compile(rb"[ \n\r\t]*+")
# The content of a string. Half a surrogate pair is no character: RapidJSON 1.1.0 refuses a first
# half alone, its later versions a second half, too. Here both are refused, as UTF-8 has neither.
_IN_STRING = re.compile(
    rb'(?:[^"\\\x00-\x1f]++|\\["\\/bfnrt]|\\u(?:[0-9a-cA-CeEfF][0-9a-fA-F]{3}|[dD][0-7]'
    rb"[0-9a-fA-F]{2}|[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}))*+"
)
_UNICODE_ESCAPE = re.compile(rb"\\u[0-9a-fA-F]{4}")
_PAIR_OF_ESCAPES = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[0-9a-fA-F]{0,3}(?![0-9a-fA-F])")
_WHOLE = re.compile(rb"0|[1-9][0-9]*+")
_DIGITS = re.compile(rb"[0-9]*+")
# Array elements that are certainly correct, and short lists of them: skipped by the thousand.
_SIMPLE = (
    rb"(?:-?(?:0|[1-9][0-9]{0,99}+(?![0-9]))(?:\.[0-9]++)?(?:[eE][-+]?[0-9]{1,2}+(?![0-9]))?"
    rb'|"[^"\\\x00-\x1f]*+"|true|false|null)[ \n\r\t]*+'
)
_ELEMENTS = re.compile(
    rb"(?:(?:%b|\[[ \n\r\t]*+(?:%b,[ \n\r\t]*+)*+%b\][ \n\r\t]*+),[ \n\r\t]*+)*+"
    % (_SIMPLE, _SIMPLE, _SIMPLE)
)
_CLOSERS = {b"{": b"}", b"[": b"]"}
_MISSES_COMMA = {
    b"}": "Missing a comma or '}' after an object member.",
    b"]": "Missing a comma or ']' after an array element.",
}
_WORDS = {b"n": b"null", b"t": b"true", b"f": b"false"}
_LARGEST_EXPONENT = 308
_MOST_TIMES_TEN = 17976931348623157 * 10**291  # a tenth of the largest double
_DIGITS_KEPT = 17
_INVALID_VALUE = "Invalid value."
_TOO_BIG = "Number too big to be stored in double."


class _Fault(Exception):
    def __init__(self, what: str, offset: int) -> None:
        super().__init__(what)
        self.what = what
        self.offset = offset


def find_fault(body: bytes, begin: int = 0) -> str | None:
    """Looks for the first fault of a document; what follows the document is not looked at.

    Args:
        body: the document.
        begin: where it begins: after a byte order mark.

    Returns:
        RapidJSON's words with the offset in bytes, or None if it would take the document.
    """
    try:
        _scan(body, begin)
    except _Fault as fault:
        return f"{fault.what} at offset: {fault.offset}"
    return None


def _scan(body: bytes, position: int) -> None:
    """A loop and a list of what is open, so that no depth of nesting does harm."""
    position = _after_blank(body, position)
    if body[position : position + 1] in (b"", b"\0"):
        raise _Fault("The document is empty.", position)
    open_brackets: list[bytes] = []
    while True:
        if open_brackets and open_brackets[-1] == b"]":
            position = _end_of(_ELEMENTS, body, position)
        letter = body[position : position + 1]
        if letter in _CLOSERS:
            closer = _CLOSERS[letter]
            position = _after_blank(body, position + 1)
            if body[position : position + 1] != closer:
                open_brackets.append(closer)
                if closer == b"}":
                    position = _after_name(body, position)
                continue
            position += 1
        elif letter == b'"':
            position = _after_string(body, position)
        elif letter in _WORDS:
            position = _after_word(body, position, _WORDS[letter])
        else:
            position = _after_number(body, position)
        position, more = _after_value(body, position, open_brackets)
        if not more:
            return


def _after_value(body: bytes, position: int, open_brackets: list[bytes]) -> tuple[int, bool]:
    """Where the next value begins, and whether there is one."""
    while open_brackets:
        position = _after_blank(body, position)
        letter, closer = body[position : position + 1], open_brackets[-1]
        if letter == b",":
            position = _after_blank(body, position + 1)
            return (_after_name(body, position) if closer == b"}" else position), True
        if letter != closer:
            raise _Fault(_MISSES_COMMA[closer], position)
        open_brackets.pop()
        position += 1
    return position, False


def _after_name(body: bytes, position: int) -> int:
    if body[position : position + 1] != b'"':
        raise _Fault("Missing a name for object member.", position)
    position = _after_blank(body, _after_string(body, position))
    if body[position : position + 1] != b":":
        raise _Fault("Missing a colon after a name of object member.", position)
    return _after_blank(body, position + 1)


def _after_string(body: bytes, position: int) -> int:
    position = _end_of(_IN_STRING, body, position + 1)
    letter = body[position : position + 1]
    if letter == b'"':
        return position + 1
    if letter in (b"", b"\0"):
        raise _Fault("Missing a closing quotation mark in string.", position)
    if body[position : position + 2] != b"\\u":  # an unknown escape, or a control character
        raise _Fault("Invalid escape character in string.", position)
    if not _UNICODE_ESCAPE.match(body, position) or _PAIR_OF_ESCAPES.match(body, position):
        raise _Fault("Incorrect hex digit after \\u escape in string.", position)
    raise _Fault("The surrogate pair in string is invalid.", position)


def _after_word(body: bytes, position: int, word: bytes) -> int:
    """Reads a word letter by letter; the fault is at the first other letter."""
    for letter in word:
        if body[position : position + 1] != bytes([letter]):
            raise _Fault(_INVALID_VALUE, position)
        position += 1
    return position


def _after_number(body: bytes, begin: int) -> int:
    position = begin + (body[begin : begin + 1] == b"-")
    letter = body[position : position + 1]
    if letter == b"N":
        return _after_word(body, position, b"NaN")
    if letter == b"I":
        position = _after_word(body, position, b"Inf")
        longer = body[position : position + 1] == b"i"
        return _after_word(body, position, b"inity") if longer else position
    end = _end_of(_WHOLE, body, position)
    if end == position:
        raise _Fault(_INVALID_VALUE, position)
    integer = body[position:end]
    # RapidJSON multiplies digit by digit and checks before each, so the last goes unchecked.
    if len(integer) > _LARGEST_EXPONENT and int(integer[:_LARGEST_EXPONENT]) >= _MOST_TIMES_TEN:
        raise _Fault(_TOO_BIG, begin)
    if len(integer) > _LARGEST_EXPONENT + 1:
        raise _Fault(_TOO_BIG, begin)
    position, fraction = end, b""
    if body[position : position + 1] == b".":
        position = _end_of(_DIGITS, body, end + 1)
        fraction = body[end + 1 : position]
        if not fraction:
            raise _Fault("Miss fraction part in number.", position)
    if body[position : position + 1] in (b"e", b"E"):
        position += 1
        sign = body[position : position + 1]
        position += sign in (b"+", b"-")
        end = _end_of(_DIGITS, body, position)
        if end == position:
            raise _Fault("Miss exponent in number.", position)
        exponent = int(body[position:end].lstrip(b"0")[:20] or b"0")
        if sign != b"-" and exponent > _LARGEST_EXPONENT + _kept(integer, fraction):
            raise _Fault(_TOO_BIG, begin)
        position = end
    return position


def _kept(integer: bytes, fraction: bytes) -> int:
    """Counts the digits after the point that RapidJSON keeps: those within the first 17 or so."""
    zeros = len(fraction) - len(fraction.lstrip(b"0")) if integer == b"0" else 0
    return min(len(fraction), zeros + max(0, _DIGITS_KEPT - len(integer) + 1))


def _after_blank(body: bytes, position: int) -> int:
    return _end_of(_BLANK, body, position)


def _end_of(pattern: re.Pattern[bytes], body: bytes, position: int) -> int:
    match = pattern.match(body, position)
    return match.end() if match else position
