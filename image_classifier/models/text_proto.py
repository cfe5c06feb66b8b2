"""Reads protobuf's text format into dictionaries, without protobuf.

TensorFlow Serving's configuration files are written in it, and the Functions app, which reads them
too, works without protobuf's package, whose versions clash on Azure. Texts are accepted and refused
as by ``google.protobuf.text_format.Parse``, with one exception: the expanded form of an ``Any``
(``[type.googleapis.com/…] { … }``) is always refused, as its type is not known here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from image_classifier.models.text_proto_tokens import Tokens, parse_float, parse_integer, unescape

__all__ = ["EnumType", "Field", "Message", "MessageType", "Scalar", "parse_text_proto"]

_CLOSING = {"{": "}", "<": ">"}


class Scalar(Enum):
    """The types of single values; each value says in words what is expected."""

    STRING = "a string"
    BYTES = "a string of bytes"
    DOUBLE = "a number"
    INT32 = "a whole number of 32 bits"
    INT64 = "a whole number of 64 bits"
    UINT32 = "a whole number of 32 bits, 0 or more"


_BOUNDS = {
    Scalar.INT32: (-(2**31), 2**31 - 1),
    Scalar.INT64: (-(2**63), 2**63 - 1),
    Scalar.UINT32: (0, 2**32 - 1),
}


@dataclass(frozen=True)
class EnumType:
    """An enum of proto3, which takes numbers without a name, too.

    Attributes:
        numbers: the number of each name.
    """

    numbers: Mapping[str, int]


@dataclass(frozen=True)
class MessageType:
    """A message.

    Attributes:
        fields: by name.
    """

    fields: Mapping[str, Field]


@dataclass(frozen=True)
class Field:
    """A field of a message.

    Attributes:
        type: of its value or values.
        repeated: whether it may stand there more than once.
        optional: whether a scalar may stand there only once even if its value is the default.
        oneof: the name that fields share of which only one may be set.
    """

    type: Scalar | EnumType | MessageType
    repeated: bool = False
    optional: bool = False
    oneof: str = ""


@dataclass
class Message:
    """The fields of a message that the text sets.

    Attributes:
        line: where the message begins.
        values: by the field's name: ``str``, ``bytes``, ``int``, ``float`` or ``Message``; a list
            of them for a repeated field. The keys and values of a map are messages, too.
    """

    line: int
    values: dict[str, Any] = field(default_factory=dict)


def parse_text_proto(text: str, message_type: MessageType, *, where: str) -> Message:
    """Reads one message.

    Args:
        text: in text format.
        message_type: what it must be. Its depth limits how deep the text can be nested.
        where: the file that it stands in, for the error message.

    Raises:
        ValueError: it is no such message; the error message names file and line.
    """
    return _Reader(text, where).message(message_type, "")


class _Reader:
    def __init__(self, text: str, where: str) -> None:
        self._where = where
        self._tokens = Tokens(text)

    def message(self, message_type: MessageType, closing: str) -> Message:
        message = Message(self._tokens.line)
        while self._tokens.token:
            if closing and self._tokens.skip(closing):
                return message
            self._field(message, message_type, closing)
            self._tokens.skip(",", ";")
        if closing:
            raise self._misplaced(f"the name of a field or {closing}")
        return message

    def _field(self, message: Message, message_type: MessageType, closing: str) -> None:
        name = self._tokens.token
        if not (name[0].isalnum() or name[0] == "_"):
            raise self._misplaced(f"the name of a field or {closing or 'the end of the file'}")
        if name not in message_type.fields:
            listed = ", ".join(message_type.fields) or "none"
            raise self._error(f"unknown field {name[:40]}; known are: {listed}.")
        known = message_type.fields[name]
        self._check_oneof(message, message_type, name)
        self._tokens.advance()
        if not self._tokens.skip(":") and not isinstance(known.type, MessageType):
            raise self._misplaced("a colon")
        if known.repeated:
            message.values.setdefault(name, []).extend(self._values(name, known))
            return
        line = self._tokens.line
        value = self._value(name, known)
        if name in message.values and (known.optional or _is_set(message.values[name])):
            raise self._error(f"{name} must be there once.", line)
        message.values[name] = value

    def _check_oneof(self, message: Message, message_type: MessageType, name: str) -> None:
        oneof = message_type.fields[name].oneof
        for other in message.values:
            if oneof and other != name and message_type.fields[other].oneof == oneof:
                choices = [each for each, f in message_type.fields.items() if f.oneof == oneof]
                listed = ", ".join(choices)
                raise self._error(f"give one of {listed}, not both {other} and {name}.")

    def _values(self, name: str, known: Field) -> list[Any]:
        if not self._tokens.skip("["):
            return [self._value(name, known)]
        values: list[Any] = []
        while not self._tokens.skip("]"):
            if values and not self._tokens.skip(","):
                raise self._misplaced("a comma or ]")
            values.append(self._value(name, known))
        return values

    def _value(self, name: str, known: Field) -> Any:
        if isinstance(known.type, MessageType):
            opening = self._tokens.skip(*_CLOSING)
            if not opening:
                raise self._error(f"{name}: it should be {{ … }}, not {self._shown()}.")
            return self.message(known.type, _CLOSING[opening])
        if known.type in (Scalar.STRING, Scalar.BYTES):
            return self._string(name, known.type)
        try:
            value = _number(self._tokens.token, known.type)
        except ValueError as exc:
            words = "a name or number of its enum"
            words = known.type.value if isinstance(known.type, Scalar) else words
            raise self._error(f"{name} must be {words}, not {self._shown()}.") from exc
        self._tokens.advance()
        return value

    def _string(self, name: str, kind: Scalar | EnumType) -> str | bytes:
        if not self._tokens.is_string:
            raise self._error(f"{name} must be a string, not {self._shown()}.")
        value = b""
        try:
            while self._tokens.is_string:  # strings side by side are one
                line = self._tokens.line
                value += unescape(self._tokens.token)
                self._tokens.advance()
            return value if kind is Scalar.BYTES else value.decode()
        except ValueError as exc:
            reason = getattr(exc, "reason", exc)  # of a UnicodeError, without the text itself
            raise self._error(f"{name} is no string of UTF-8: {reason}.", line) from exc

    def _shown(self) -> str:
        return self._tokens.token[:40] or "the end of the file"

    def _misplaced(self, expected: str) -> ValueError:
        return self._error(f"{expected} should stand where {self._shown()} is.")

    def _error(self, sentence: str, line: int | None = None) -> ValueError:
        return ValueError(f"{self._where}, line {line or self._tokens.line}: {sentence}")


def _number(token: str, kind: Scalar | EnumType) -> float:
    if isinstance(kind, EnumType):
        if token in kind.numbers:
            return kind.numbers[token]
        value = int(token, 0)  # not octal, unlike other integers
        least, most = _BOUNDS[Scalar.INT32]
        if not least <= value <= most:
            raise ValueError("out of bounds")
        return value
    return parse_float(token) if kind is Scalar.DOUBLE else parse_integer(token, *_BOUNDS[kind])


def _is_set(value: Any) -> bool:
    """Whether a value differs from its type's default; -0.0 does."""
    is_negative = isinstance(value, int | float) and math.copysign(1, value) < 0
    return bool(value) or is_negative or isinstance(value, Message)
