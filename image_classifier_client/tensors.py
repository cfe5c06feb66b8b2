"""Converts arrays to TensorFlow's messages and back."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from image_classifier_client.errors import InvalidInput, ServerError
from image_classifier_client.messages import DATA_TYPES

__all__ = ["Array", "fill_proto", "to_array"]

Array = NDArray[Any]

_NUMPY: dict[str, np.dtype[Any]] = {
    "DT_FLOAT": np.dtype(np.float32),
    "DT_DOUBLE": np.dtype(np.float64),
    "DT_HALF": np.dtype(np.float16),
    "DT_INT8": np.dtype(np.int8),
    "DT_INT16": np.dtype(np.int16),
    "DT_INT32": np.dtype(np.int32),
    "DT_INT64": np.dtype(np.int64),
    "DT_UINT8": np.dtype(np.uint8),
    "DT_UINT16": np.dtype(np.uint16),
    "DT_UINT32": np.dtype(np.uint32),
    "DT_UINT64": np.dtype(np.uint64),
    "DT_BOOL": np.dtype(np.bool_),
    "DT_COMPLEX64": np.dtype(np.complex64),
    "DT_COMPLEX128": np.dtype(np.complex128),
    "DT_STRING": np.dtype(object),
}
_KIND = {dtype: kind for kind, dtype in _NUMPY.items()}
_NAME = {number: name for name, number in DATA_TYPES.items()}
# The field that holds the values of each type when tensor_content does not.
_FIELD = {
    "DT_FLOAT": "float_val",
    "DT_DOUBLE": "double_val",
    "DT_HALF": "half_val",
    **dict.fromkeys(("DT_INT32", "DT_INT16", "DT_INT8", "DT_UINT8", "DT_UINT16"), "int_val"),
    "DT_INT64": "int64_val",
    "DT_UINT32": "uint32_val",
    "DT_UINT64": "uint64_val",
    "DT_BOOL": "bool_val",
    "DT_STRING": "string_val",
    "DT_COMPLEX64": "scomplex_val",
    "DT_COMPLEX128": "dcomplex_val",
}


def fill_proto(proto: Any, value: ArrayLike, name: str) -> None:
    """Writes an array into an empty TensorProto.

    Args:
        proto: a TensorProto.
        value: an array, or what becomes one: Python's own numbers are sent as float32 and int32, as
            TensorFlow does it; texts as UTF-8.
        name: of the input, for the error message.

    Raises:
        InvalidInput: it is ragged, or of a type that cannot be sent.
    """
    array = _as_array(value, name)
    if array.dtype.kind in "OSUT":  # T: NumPy 2's StringDType, which has no byte order
        kind = "DT_STRING"
        proto.string_val.extend(_as_bytes(each, name) for each in array.reshape(-1).tolist())
    elif kind := _KIND.get(array.dtype.newbyteorder("="), ""):
        little = array.dtype.newbyteorder("<")
        proto.tensor_content = array.astype(little, copy=False).tobytes()
    else:
        known = ", ".join(sorted(str(dtype) for dtype in _KIND if dtype.kind != "O"))
        raise InvalidInput(
            f"The input {name!r} has the type {array.dtype}, which cannot be sent. Use one of "
            f"{known}, or bytes."
        )
    proto.dtype = DATA_TYPES[kind]
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)


def to_array(proto: Any, name: str) -> Array:
    """Reads a TensorProto.

    Args:
        proto: a TensorProto.
        name: of the output, for the error message.

    Returns:
        Texts as an object array of bytes.

    Raises:
        ServerError: type, shape and values do not fit together.
    """
    kind = _NAME.get(proto.dtype, "")
    if kind not in _FIELD:
        raise ServerError(
            f"The output {name!r} is a {kind or proto.dtype}, which is not supported."
        )
    shape = tuple(dim.size for dim in proto.tensor_shape.dim)
    try:
        return _values(proto, kind, math.prod(shape)).reshape(shape)
    except (ValueError, MemoryError, OverflowError) as exc:
        raise ServerError(f"The output {name!r} does not fit its shape {list(shape)}.") from exc


def _as_array(value: ArrayLike, name: str) -> Array:
    if isinstance(value, np.ndarray | np.generic):
        return np.asarray(value)
    try:
        as_objects = np.array(value, object)
        if as_objects.size and all(isinstance(e, str | bytes) for e in as_objects.reshape(-1)):
            return as_objects  # as NumPy's own type for texts, zeros at their ends would be lost
        array = np.asarray(value)
    except ValueError as exc:
        raise InvalidInput(
            f"The input {name!r} is ragged or no array: {exc}. All rows must have one length."
        ) from exc
    if array.dtype == np.float64:
        return array.astype(np.float32)
    limits = np.iinfo(np.int32)
    if array.dtype == np.int64 and (
        not array.size or (limits.min <= array.min() and array.max() <= limits.max)
    ):
        return array.astype(np.int32)
    return array


def _as_bytes(value: Any, name: str) -> bytes:
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    raise InvalidInput(
        f"The input {name!r} holds a {type(value).__name__}. An array of objects can hold bytes "
        "and texts only."
    )


def _values(proto: Any, kind: str, count: int) -> Array:
    dtype = _NUMPY[kind]
    content = proto.tensor_content
    if content and kind != "DT_STRING":
        little = np.frombuffer(content, dtype.newbyteorder("<"))
        return little.astype(dtype)  # a copy, which its owner may write to
    values = getattr(proto, _FIELD[kind])
    array: Array
    if kind == "DT_STRING":
        array = np.empty(len(values), object)
        array[:] = list(values)
    elif kind == "DT_HALF":
        array = np.array(values, np.int32).astype(np.uint16).view(np.float16)
    elif dtype.kind == "c":
        array = np.array(values, f"f{dtype.itemsize // 2}").view(dtype)
    else:
        array = np.array(values, dtype)
    if 0 < len(array) < count:  # values that are not written out are copies of the last
        array = np.concatenate([array, np.full(count - len(array), array[-1], dtype)])
    return array
