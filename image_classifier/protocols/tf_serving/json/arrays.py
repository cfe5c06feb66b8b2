"""Turns lists of JSON values into dense arrays, with TensorFlow Serving's rules for each type.

There are two readers: a quick one for correct lists of numbers, and one that goes value by value,
to find the fault or to read texts. A property test holds both to the same results.
"""

from __future__ import annotations

import binascii
import contextlib
import math
from itertools import chain
from typing import Any

import numpy as np
import pybase64

from image_classifier.model_files.signatures import NUMPY_DTYPES, Array, short_dtype
from image_classifier.protocols.tf_serving.errors import Code, ServingError, invalid_argument
from image_classifier.protocols.tf_serving.json.value_format import shown, to_bytes

__all__ = ["Column", "column_of", "is_base64", "value_of"]

_LIMITS = {
    # Integers of narrower types are read as 32 bits.
    **dict.fromkeys(("DT_INT32", "DT_INT16", "DT_INT8", "DT_UINT8"), (-(2**31), 2**31 - 1)),
    "DT_INT64": (-(2**63), 2**63 - 1),
    "DT_UINT32": (0, 2**32 - 1),
    "DT_UINT64": (0, 2**64 - 1),
}
# The largest value, and the number of integers that the type represents exactly.
_FLOATS: dict[str, tuple[float, int]] = {
    "DT_FLOAT": (float(np.finfo(np.float32).max), 2**24),
    "DT_DOUBLE": (float(np.finfo(np.float64).max), 2**53),
}
_TYPES = {type(None): "Null", bool: "Bool", dict: "Object", list: "Array", str: "String"}
# NumPy has no arrays of more axes.
_MOST_AXES = 64


def is_base64(value: Any) -> bool:
    """Whether a value is ``{"b64": "…"}`` and nothing else."""
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get("b64"), str)


def value_of(value: Any, dtype: str) -> Array:
    """Turns one value, or nested lists of values, into an array of TensorFlow's ``dtype``.

    Raises:
        ServingError: a value has another type, or a list another length than its neighbours.
    """
    dense = _dense(value, dtype) if isinstance(value, list) else None
    if dense is not None:
        return dense
    flat, shape = _filled(value, dtype)
    return _array(flat, shape, dtype)


def column_of(values: list[Any], dtype: str) -> Array | None:
    """Turns the numbers of many rows into one array; None if they must be read row by row."""
    return _dense(values, dtype)


class Column:
    """Collects the values of one input, row by row.

    Args:
        dtype: TensorFlow's name.
    """

    def __init__(self, dtype: str) -> None:
        self._dtype = dtype
        self._flat: list[Any] = []
        self._shape: list[int] | None = None
        self._rows = 0

    def add(self, value: Any) -> None:
        """Adds a row's value; raises ServingError if its shape differs from the rows before."""
        flat, shape = _filled(value, self._dtype)
        if self._shape is None:
            self._shape = shape
        elif math.prod(self._shape) != len(flat):
            raise invalid_argument(
                f"Expecting tensor size: {math.prod(self._shape)} but got: {len(flat)}"
            )
        elif self._shape != shape:
            raise invalid_argument(
                f"Expecting shape {_listed(self._shape)} but got: {_listed(shape)}"
            )
        self._flat += flat
        self._rows += 1

    def array(self) -> Array:
        """All rows, along a new first axis."""
        return _array(self._flat, [self._rows, *(self._shape or [])], self._dtype)


def _dense(values: list[Any], dtype: str) -> Array | None:
    shape, level = [len(values)], values
    while level and type(level[0]) is list:
        size = len(level[0])
        if set(map(type, level)) != {list} or set(map(len, level)) != {size}:
            return None
        shape.append(size)
        if len(shape) > _MOST_AXES - 1:
            return None
        level = list(chain.from_iterable(level))
    kinds = set(map(type, level))
    if dtype in _FLOATS and kinds and kinds <= {int, float}:
        return _floats(level, kinds, shape, dtype)
    if dtype in _LIMITS and kinds == {int}:
        low, high = _LIMITS[dtype]
        if low <= min(level) and max(level) <= high:
            wide = np.uint64 if dtype == "DT_UINT64" else np.int64
            return np.array(level, wide).astype(NUMPY_DTYPES[dtype]).reshape(shape)
    if dtype == "DT_BOOL" and kinds == {bool}:
        return np.array(level, np.bool_).reshape(shape)
    return None


def _floats(level: list[Any], kinds: set[type], shape: list[int], dtype: str) -> Array | None:
    if int in kinds:
        # The type must represent each integer exactly.
        limit = _FLOATS[dtype][1] - 1
        integers = [value for value in level if type(value) is int] if float in kinds else level
        if max(integers) > limit or min(integers) < -limit:
            return None
    wide = np.array(level, np.float64)
    if dtype == "DT_FLOAT":
        finite = np.abs(wide[np.isfinite(wide)])
        if finite.size and finite.max() > _FLOATS[dtype][0]:
            return None
    return wide.astype(NUMPY_DTYPES[dtype]).reshape(shape)


def _filled(value: Any, dtype: str) -> tuple[list[Any], list[int]]:
    """Flattens nested lists; returns the values and the shape of their first elements."""
    shape = []
    first = value
    while isinstance(first, list):
        shape.append(len(first))
        first = first[0] if first else None
    if len(shape) > _MOST_AXES - 1:  # the rows take one more
        raise invalid_argument(
            f"The list is nested {len(shape)} deep. {_MOST_AXES - 1} is the most."
        )
    flat: list[Any] = []
    _fill(value, 0, shape, dtype, flat)
    return flat, shape


def _fill(value: Any, level: int, shape: list[int], dtype: str, flat: list[Any]) -> None:
    if not isinstance(value, list):
        if level != len(shape):
            raise invalid_argument(
                f"JSON Value: {shown(value)} found at incorrect level: {level + 1} in the JSON "
                f"DOM. Expected at level: {len(shape)}"
            )
        flat.append(_scalar(value, dtype))
        return
    if level >= len(shape):
        raise invalid_argument(
            f"Encountered list at unexpected level: {level} expected < {len(shape)}"
        )
    if len(value) != shape[level]:
        raise invalid_argument(
            f"Encountered list at unexpected size: {len(value)} at level: {level} expected size: "
            f"{shape[level]}"
        )
    for each in value:
        _fill(each, level + 1, shape, dtype, flat)


def _scalar(value: Any, dtype: str) -> Any:
    if isinstance(value, dict):
        if dtype != "DT_STRING":
            raise _type_error(value, dtype)
        return decode_base64(value)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if dtype in _FLOATS:
        if not is_number:
            raise _type_error(value, dtype)
        return lossless(value, dtype)
    if dtype in _LIMITS:
        low, high = _LIMITS[dtype]
        if not (is_number and isinstance(value, int) and low <= value <= high):
            raise _type_error(value, dtype)
        return value
    if dtype == "DT_STRING":
        if not isinstance(value, str):
            raise _type_error(value, dtype)
        return to_bytes(value)
    if dtype == "DT_BOOL":
        if not isinstance(value, bool):
            raise _type_error(value, dtype)
        return value
    raise ServingError(
        Code.UNIMPLEMENTED,
        f"Conversion of JSON Value: {shown(value)} to type: {short_dtype(dtype)}",
    )


def lossless(value: float, dtype: str) -> float:
    """Converts a number to a float of a type, unless digits would be lost.

    Raises:
        ServingError: it is an integer with too many digits, or too large.
    """
    largest, exact_integers = _FLOATS[dtype]
    if isinstance(value, int) and -(2**63) <= value < 2**64:
        fits = abs(value) < exact_integers
    else:
        fits = not math.isfinite(value) or abs(value) <= largest
    if not fits:
        raise invalid_argument(
            f"Cannot convert JSON value: {shown(value)} to {short_dtype(dtype)} without loss of "
            "precision."
        )
    return float(value)


def decode_base64(value: dict[str, Any]) -> bytes:
    """Decodes ``{"b64": "…"}``.

    Raises:
        ServingError: it is another value, or not base64.
    """
    if not is_base64(value):
        raise invalid_argument(
            f"JSON Value: {shown(value)} not formatted correctly for base64 data"
        )
    try:
        text = value["b64"].encode("ascii")
        if len(text) % 4 == 0 and not text.endswith(b"==="):
            with contextlib.suppress(binascii.Error):  # nearly all clients send this form
                return pybase64.b64decode(text, validate=True)
        return pybase64.b64decode(_tidied(text), validate=True)
    except (binascii.Error, ValueError) as exc:
        raise invalid_argument("Unable to base64 decode") from exc


def _tidied(text: bytes) -> bytes:
    """Normalizes the other forms that absl accepts: blanks, dots for padding, no padding."""
    text = b"".join(text.split())
    bare = text.rstrip(b"=.")
    padding = -len(bare) % 4
    if len(text) - len(bare) not in (0, padding):
        raise binascii.Error("too much or too little padding")
    return bare + b"=" * padding


def json_type(value: Any) -> str:
    """RapidJSON's name for the type of a value."""
    if isinstance(value, bool):
        return str(value)
    return _TYPES.get(type(value), "Number")


def _array(flat: list[Any], shape: list[int], dtype: str) -> Array:
    if dtype == "DT_STRING":
        texts: Array = np.empty(len(flat), object)
        texts[:] = flat
        return texts.reshape(shape)
    if dtype not in (*_FLOATS, *_LIMITS, "DT_BOOL"):
        # An empty list has no values that could have been refused.
        raise ServingError(Code.UNIMPLEMENTED, f"Conversion of JSON Value: to {short_dtype(dtype)}")
    wide = {"DT_UINT64": np.uint64, "DT_BOOL": np.bool_}.get(
        dtype, np.float64 if dtype in _FLOATS else np.int64
    )
    with np.errstate(over="ignore"):
        return np.array(flat, wide).astype(NUMPY_DTYPES[dtype]).reshape(shape)


def _type_error(value: Any, dtype: str) -> ServingError:
    return invalid_argument(
        f"JSON Value: {shown(value)} Type: {json_type(value)} is not of expected type: "
        f"{short_dtype(dtype)}"
    )


def _listed(shape: list[int]) -> str:
    return f"[{','.join(map(str, shape))}]"
