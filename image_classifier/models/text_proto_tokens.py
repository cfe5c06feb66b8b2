"""Splits protobuf's text format into tokens and reads the value of one token."""

from __future__ import annotations

import re

__all__ = ["Tokens", "parse_float", "parse_integer", "unescape"]

_BLANK = re.compile(r"(?:\s|#.*)*")
# Words and numbers take the signs that follow them along: "a-b" is one token, and "- 1" is two.
_TOKEN = re.compile(
    r"""[a-zA-Z_][0-9a-zA-Z_+-]*
    |(?:[0-9+-]|\.[0-9])[0-9a-zA-Z_.+-]*
    |"(?:[^"\\\n]|\\.)*(?:"|\\?$)
    |'(?:[^'\\\n]|\\.)*(?:'|\\?$)
    |.""",
    re.MULTILINE | re.VERBOSE,
)
_OCTAL = re.compile(r"(-?)0([0-9]+)")
_LEADING_ZERO = re.compile(r"-?0[0-9]")
_INFINITY = re.compile(r"(-?)inf(?:inity)?f?", re.IGNORECASE)
_ESCAPE = re.compile(rb"\\(?:([0-7]{1,3})|x([0-9a-fA-F]{1,2})|(.)|$)", re.DOTALL)
_KNOWN_ESCAPES = b"\\'\"abfnrtvxuUN"


class Tokens:
    """The tokens of a text, one after the other. The end is the empty token.

    Args:
        text: in text format.

    Attributes:
        token: the next token.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._end = 0
        self.token = ""
        self.advance()

    @property
    def line(self) -> int:
        """The line of the next token; the first line is 1."""
        return self._text.count("\n", 0, self._end - len(self.token)) + 1

    @property
    def is_string(self) -> bool:
        """Whether the next token begins with a quote."""
        return self.token[:1] in ("'", '"') and bool(self.token)

    def advance(self) -> str:
        """Returns the next token and goes on to the one after it."""
        token = self.token
        blank = _BLANK.match(self._text, self._end)
        self._end = blank.end() if blank else self._end
        match = _TOKEN.match(self._text, self._end)
        self.token = match[0] if match else ""
        self._end += len(self.token)
        return token

    def skip(self, *tokens: str) -> str:
        """Goes past the next token if it is one of these, and returns it; otherwise returns ""."""
        return self.advance() if self.token and self.token in tokens else ""


def parse_integer(token: str, least: int, most: int) -> int:
    """Reads a decimal, hexadecimal (0x10) or octal (010) integer.

    Raises:
        ValueError: it is no integer, or out of bounds.
    """
    octal = _OCTAL.fullmatch(token)
    value = int(f"{octal[1]}0o{octal[2]}" if octal else token, 0)
    if not least <= value <= most:
        raise ValueError(f"it is not within {least} and {most}")
    return value


def parse_float(token: str) -> float:
    """Reads a number such as 0.1, 1e-3, 1.5f or -inf.

    Raises:
        ValueError: it is no number, or has a leading zero.
    """
    if _LEADING_ZERO.match(token):
        raise ValueError("a float has no leading zero")
    if infinity := _INFINITY.fullmatch(token):
        return float(f"{infinity[1]}inf")
    if token.lower() == "nanf":
        return float("nan")
    try:
        return float(token)
    except ValueError:
        return float(token.rstrip("fF"))


def unescape(token: str) -> bytes:
    r"""Reads one quoted string: escapes such as ``\n``, ``\351``, ``\xe9`` and ``\u00e9``.

    Raises:
        ValueError: the closing quote is missing, or an escape is malformed.
    """
    if len(token) < 2 or token[-1] != token[0]:
        raise ValueError("its closing quote is missing")
    # Python's codecs twice, as protobuf does it: first \u and \U, then all the others. An escape
    # written by the first pass is read by the second, so that "\u005cn" is a line feed.
    text = token[1:-1].encode("raw_unicode_escape").decode("raw_unicode_escape")
    return _ESCAPE.sub(_canonical, text.encode()).decode("unicode_escape").encode("latin-1")


def _canonical(match: re.Match[bytes]) -> bytes:
    """Rewrites an escape so that Python's codec reads it as protobuf means it, without warning."""
    octal, hexadecimal, letter = match.groups()
    if octal:
        if int(octal, 8) > 0xFF:
            raise ValueError(f"the escape \\{octal.decode()} is above \\377")
        return match[0]
    if hexadecimal:
        return b"\\x" + hexadecimal.rjust(2, b"0")
    if letter and letter not in _KNOWN_ESCAPES:
        return b"\\" + match[0]
    return match[0]
