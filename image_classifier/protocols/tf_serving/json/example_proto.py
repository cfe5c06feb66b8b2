"""Writes ``tensorflow.Example`` in protobuf's wire format, without protobuf.

The message is small and frozen, and the Functions app works without protobuf's package, whose
versions clash on Azure.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from image_classifier.protocols.tf_serving.json.value_format import to_bytes

__all__ = ["Feature", "encode_example", "merge_examples"]

# The numbers of Feature's fields.
_FIELDS = {"bytes": 1, "float": 2, "int64": 3}
_LENGTH_DELIMITED = 2


@dataclass(frozen=True)
class Feature:
    """Values of one type.

    Attributes:
        kind: ``bytes``, ``float`` or ``int64``; "" for no values.
        values: bytes, floats or integers.
    """

    kind: str
    values: Sequence[Any]


def encode_example(features: Mapping[str, Feature]) -> bytes:
    """Serializes an Example; features are sorted by name, so that the bytes are always the same."""
    entries = b"".join(
        _field(1, _field(1, to_bytes(name)) + _field(2, _feature(feature)))
        for name, feature in sorted(features.items())
    )
    return _field(1, entries)


def merge_examples(context: bytes, example: bytes) -> bytes:
    """Adds the features of a context to an Example, whose own features have precedence.

    Protobuf merges messages whose bytes follow each other; of the entries of a map with the same
    key, the last counts.
    """
    return context + example


def _feature(feature: Feature) -> bytes:
    if not feature.kind:
        return b""
    if feature.kind == "bytes":
        content = b"".join(_field(1, value) for value in feature.values)
    elif feature.kind == "float":
        content = _field(1, struct.pack(f"<{len(feature.values)}f", *feature.values))
    else:
        content = _field(1, b"".join(_varint(value & (2**64 - 1)) for value in feature.values))
    return _field(_FIELDS[feature.kind], content)


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | _LENGTH_DELIMITED) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
