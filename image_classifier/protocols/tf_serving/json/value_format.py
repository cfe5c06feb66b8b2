"""Writes JSON values as TensorFlow Serving does: RapidJSON's indents, its own float format."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from image_classifier.model_files.signatures import Array

__all__ = ["decimals", "nested", "quoted", "shown", "to_bytes"]

INDENT = "    "
_SPECIAL = re.compile(r'["\\\x00-\x1f]')
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r"}
_ESCAPES["\t"] = "\\t"
# An error repeats the value that is wrong; nobody needs 20 MB of it.
_MOST_SHOWN = 4000
# RapidJSON's own limit, a little below the largest float.
_LARGEST_SHOWN_AS_FLOAT = 3.4028234e38


def to_bytes(text: str) -> bytes:
    """Turns a string of a document into the bytes that were sent."""
    return text.encode("utf-8", "surrogateescape")


def quoted(text: str) -> str:
    """Writes a JSON string with the fewest escapes."""
    return f'"{_SPECIAL.sub(_escaped, text)}"'


def _escaped(match: re.Match[str]) -> str:
    letter = match[0]
    return _ESCAPES.get(letter) or f"\\u{ord(letter):04X}"


def decimals(values: Array) -> list[str]:
    """Writes floats: with six digits if these give the number back, else with all of them.

    Args:
        values: float16, float32 or float64 [N].

    Returns:
        N texts, such as ``0.2``, ``1.0``, ``9e+06``, ``0.202078566``, ``NaN``, ``-Infinity``.
    """
    is_double = values.dtype == np.float64
    numbers = values.astype(np.float64 if is_double else np.float32)
    listed = numbers.tolist()
    texts = [f"{value:.6g}" for value in listed]
    with np.errstate(over="ignore"):
        back = np.array([float(text) for text in texts], np.float64).astype(numbers.dtype)
    precision = 17 if is_double else 9
    for index in np.flatnonzero(back != numbers).tolist():
        texts[index] = f"{listed[index]:.{precision}g}"
    return [_with_point(text) for text in texts]


def _with_point(text: str) -> str:
    if "." in text or "e" in text:
        return text
    return _NOT_FINITE.get(text) or f"{text}.0"


_NOT_FINITE = {"nan": "NaN", "-nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def nested(leaves: Sequence[str], shape: Sequence[int], *, level: int, single_line: bool) -> str:
    """Nests the leaves in lists.

    Args:
        leaves: as many texts as the shape has elements, in C order.
        shape: of the list; empty for one leaf alone.
        level: the number of open brackets around it.
        single_line: on one line, or one element per line.
    """
    if not shape:
        return leaves[0]
    if 0 in shape:
        return _empty(shape, level, single_line)
    parts = list(leaves)
    for depth in reversed(range(len(shape))):
        size = shape[depth]
        parts = [
            bracketed(parts[start : start + size], level=level + depth, single_line=single_line)
            for start in range(0, len(parts), size)
        ]
    return parts[0]


def _empty(shape: Sequence[int], level: int, single_line: bool) -> str:
    if shape[0] == 0:
        return "[]"
    inner = _empty(shape[1:], level + 1, single_line)
    return bracketed([inner] * shape[0], level=level, single_line=single_line)


def bracketed(parts: Iterable[str], *, level: int, single_line: bool) -> str:
    """Writes a list of texts at a level of indentation."""
    if single_line:
        return f"[{', '.join(parts)}]"
    inner = f",\n{INDENT * (level + 1)}".join(parts)
    return f"[\n{INDENT * (level + 1)}{inner}\n{INDENT * level}]" if inner else "[]"


def members(pairs: Iterable[tuple[str, str]], *, level: int) -> str:
    """Writes an object of names and texts at a level of indentation."""
    lines = ",\n".join(f"{INDENT * (level + 1)}{quoted(name)}: {text}" for name, text in pairs)
    return f"{{\n{lines}\n{INDENT * level}}}" if lines else "{}"


def binary(data: bytes, *, level: int) -> str:
    """Writes ``{"b64": …}``."""
    return members([("b64", quoted(base64.b64encode(data).decode()))], level=level)


def shown(value: Any) -> str:
    """Writes a value of a document for an error message."""
    if _is_double(value):
        number = float(value)
        fits = not math.isfinite(number) or abs(number) <= _LARGEST_SHOWN_AS_FLOAT
        return decimals(np.array([number], np.float32 if fits else np.float64))[0]
    writer = _Writer()
    writer.write(value, 0)
    text = "".join(writer.parts)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"


class _Writer:
    """Collects a value's text, one element per line, until the limit is reached.

    The limit also bounds the recursion: each level is indented further.
    """

    def __init__(self) -> None:
        self.parts: list[str] = []
        self._room = _MOST_SHOWN

    def write(self, value: Any, level: int) -> bool:
        """Adds a value; False where RapidJSON gives up, or at the limit."""
        if isinstance(value, dict | list):
            return self._write_all(value, level)
        if isinstance(value, str):
            return self._add(quoted(value[: _MOST_SHOWN + 1]))
        if value is None or isinstance(value, bool):
            return self._add({None: "null", True: "true", False: "false"}[value])
        if not _is_double(value):
            return self._add(str(value))
        # RapidJSON has no text for infinity and NaN, and leaves the whole value unfinished.
        return math.isfinite(value) and self._add(_double(float(value)))

    def _add(self, text: str) -> bool:
        self.parts.append(text)
        self._room -= len(text)
        return self._room >= 0

    def _write_all(self, value: dict[str, Any] | list[Any], level: int) -> bool:
        brackets = "{}" if isinstance(value, dict) else "[]"
        self._add(brackets[0])
        for index, each in enumerate(value):
            line = f"{',' if index else ''}\n{INDENT * (level + 1)}"
            if isinstance(value, dict):
                line += f"{quoted(each)}: "
                each = value[each]
            if not (self._add(line) and self.write(each, level + 1)):
                return False
        return self._add(f"\n{INDENT * level}{brackets[1]}" if value else brackets[1])


def _is_double(value: Any) -> bool:
    """Whether RapidJSON keeps a number as a double: integers of more than 64 bits, too."""
    return isinstance(value, float) or (
        isinstance(value, int) and not -(2**63) <= value < 2**64 and not isinstance(value, bool)
    )


def _double(value: float) -> str:
    """Writes a double as RapidJSON does: the fewest digits that suffice, powers from 1e21 on."""
    sign, digits, exponent = Decimal(repr(value)).as_tuple()
    text = "".join(map(str, digits)).rstrip("0") or "0"
    point = len(digits) + int(exponent)  # position of the point, from the first digit
    minus = "-" if sign else ""
    if text == "0":
        return f"{minus}0.0"
    if len(text) <= point <= 21:
        return f"{minus}{text.ljust(point, '0')}.0"
    if 0 < point <= 21:
        return f"{minus}{text[:point]}.{text[point:]}"
    if -6 < point <= 0:
        return f"{minus}0.{'0' * -point}{text}"
    fraction = f".{text[1:]}" if len(text) > 1 else ""
    return f"{minus}{text[0]}{fraction}e{point - 1}"
