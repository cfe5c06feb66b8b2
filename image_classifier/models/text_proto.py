"""Reads protobuf's text format into lists and dictionaries, without protobuf.

TensorFlow Serving's configuration files are written in it, and the Functions app, which reads them
too, gets by without protobuf's package, whose versions clash on Azure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

__all__ = ["Word", "parse_text_proto"]

_TOKEN = re.compile(
    r"""(?P<blank>\s+|\#[^\n]*)
    |(?P<name>[A-Za-z_][A-Za-z0-9_.]*)
    |(?P<number>-?(?:0[xX][0-9a-fA-F]+|\d+)(?![\w.]))
    |(?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
    |(?P<sign>[{}<>\[\]:,;])""",
    re.VERBOSE,
)
_ESCAPE = re.compile(rb"\\(?:([0-7]{1,3})|[xX]([0-9a-fA-F]{1,2})|(.))", re.DOTALL)
_LETTERS = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"a": b"\a", b"b": b"\b", b"f": b"\f"}
_LETTERS[b"v"] = b"\v"
_CLOSING = {"{": "}", "<": ">"}


class Word(str):
    """A bare word, such as ``true`` or the name of an enum's value; not a quoted string."""


class _Token(NamedTuple):
    kind: str
    text: str
    line: int


def parse_text_proto(text: str, *, where: str) -> dict[str, list[Any]]:
    """Reads one message.

    Args:
        text: in text format.
        where: the file that it stands in, for the error message.

    Returns:
        The values of each field, in the order of the text: ``str``, ``int``, ``Word``, or such a
        dictionary for a message.

    Raises:
        ValueError: it is not text format; the message names file and line.
    """
    return _Reader(text, where).message("")


class _Reader:
    def __init__(self, text: str, where: str) -> None:
        self._where = where
        self._tokens = list(self._split(text))
        self._next = 0

    def _split(self, text: str) -> Iterator[_Token]:
        position, line = 0, 1
        while position < len(text):
            found = _TOKEN.match(text, position)
            if found is None:
                rest = text[position:].split("\n", 1)[0][:40]
                raise ValueError(f"{self._where}, line {line}: cannot read {rest!r}.")
            if found.lastgroup != "blank":
                yield _Token(str(found.lastgroup), found[0], line)
            line += found[0].count("\n")
            position = found.end()
        yield _Token("end", "the end of the file", line)

    def _take(self) -> _Token:
        token = self._tokens[self._next]
        self._next += token.kind != "end"
        return token

    def _skip(self, *texts: str) -> bool:
        token = self._tokens[self._next]
        found = token.kind == "sign" and token.text in texts
        self._next += found
        return found

    def _wrong(self, token: _Token, expected: str) -> ValueError:
        return ValueError(
            f"{self._where}, line {token.line}: {expected} should stand where {token.text[:40]} is."
        )

    def message(self, closing: str) -> dict[str, list[Any]]:
        fields: dict[str, list[Any]] = {}
        while True:
            token = self._take()
            if token.text == closing or (token.kind == "end" and not closing):
                return fields
            if token.kind != "name":
                raise self._wrong(token, f"the name of a field or {closing or 'the end'}")
            fields.setdefault(token.text, []).extend(self._values(self._skip(":")))
            self._skip(",", ";")

    def _values(self, has_colon: bool) -> list[Any]:
        if not self._skip("["):
            return [self._value(has_colon)]
        values: list[Any] = []
        while not self._skip("]"):
            if values and not self._skip(","):
                raise self._wrong(self._take(), "a comma or ]")
            values.append(self._value(True))
        return values

    def _value(self, may_be_scalar: bool) -> Any:
        token = self._take()
        if token.kind == "sign" and token.text in _CLOSING:
            return self.message(_CLOSING[token.text])
        if may_be_scalar:
            if token.kind == "number":
                return int(token.text, 0) if "x" in token.text.lower() else int(token.text)
            if token.kind == "name":
                return Word(token.text)
            if token.kind == "string":
                return self._string(token)
        raise self._wrong(token, "a value" if may_be_scalar else "a colon or {")

    def _string(self, token: _Token) -> str:
        found = _unescaped(token.text)
        while self._tokens[self._next].kind == "string":  # strings side by side are one
            found += _unescaped(self._take().text)
        try:
            return found.decode()
        except UnicodeDecodeError as exc:
            raise ValueError(f"{self._where}, line {token.line}: not UTF-8: {exc}.") from exc


def _unescaped(text: str) -> bytes:
    def one(found: re.Match[bytes]) -> bytes:
        octal, hexadecimal, letter = found.groups()
        if octal:
            return bytes([int(octal, 8) & 0xFF])
        if hexadecimal:
            return bytes([int(hexadecimal, 16)])
        return _LETTERS.get(letter, letter)

    return _ESCAPE.sub(one, text[1:-1].encode())
