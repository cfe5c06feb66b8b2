"""TensorProto <-> NumPy, for every type that the contract knows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from image_classifier.contracts.serving_error import Code, ServingError
from image_classifier.contracts.tensor_names import dtype_name
from image_classifier.signatures import NUMPY_DTYPES, Array
from model_server.messages import DATA_TYPES

__all__ = ["fill_proto", "from_proto"]

_NAMES = {number: name for name, number in DATA_TYPES.items()}
# The field that holds the values of each type when tensor_content does not.
_FIELDS = {
    "DT_FLOAT": "float_val",
    "DT_DOUBLE": "double_val",
    "DT_HALF": "half_val",
    **dict.fromkeys(
        ("DT_INT32", "DT_INT16", "DT_INT8", "DT_UINT8", "DT_UINT16"),
        "int_val",
    ),
    "DT_INT64": "int64_val",
    "DT_UINT32": "uint32_val",
    "DT_UINT64": "uint64_val",
    "DT_BOOL": "bool_val",
    "DT_STRING": "string_val",
    "DT_COMPLEX64": "scomplex_val",
    "DT_COMPLEX128": "dcomplex_val",
}
# Values that are not written out are copies of the last one; more than this is nobody's tensor.
_MOST_COPIES = 2**24


def from_proto(proto: Any, name: str) -> Array:
    """Reads a tensor.

    Args:
        proto: a TensorProto.
        name: of the input, for the error message.

    Returns:
        Strings as an object array of bytes. Of numbers in ``tensor_content`` no copy is made.

    Raises:
        ServingError: type, shape and values do not fit together.
    """
    kind = _NAMES.get(proto.dtype, "")
    if kind not in _FIELDS:
        raise _wrong(name, f"its dtype is {kind or proto.dtype}, which is not supported")
    shape = tuple(dim.size for dim in proto.tensor_shape.dim)
    if proto.tensor_shape.unknown_rank or any(size < 0 for size in shape):
        raise _wrong(name, f"its shape {list(shape)} is not fully known")
    count = math.prod(shape)
    if proto.tensor_content:
        return _from_content(proto.tensor_content, kind, shape, count, name)
    values = getattr(proto, _FIELDS[kind])
    if kind == "DT_STRING":
        listed = _extended(list(values), count, name, b"")
        texts: Array = np.empty(count, object)
        texts[:] = listed
        return texts.reshape(shape)
    return _from_values(values, kind, count, name).reshape(shape)


def fill_proto(proto: Any, array: Array, *, as_content: bool = False) -> None:
    """Writes an array into an empty TensorProto.

    Args:
        proto: a TensorProto.
        array: strings are an object array of bytes.
        as_content: numbers as ``tensor_content``, which clients that read ``float_val`` cannot
            see; otherwise in the field of their type, as TensorFlow Serving does it.
    """
    kind = dtype_name(array.dtype)
    proto.dtype = DATA_TYPES[kind]
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    flat = array.reshape(-1)
    if as_content and kind != "DT_STRING":
        proto.tensor_content = flat.tobytes()
        return
    values = getattr(proto, _FIELDS[kind])
    if kind == "DT_HALF":
        flat = flat.view(np.uint16)
    elif kind == "DT_COMPLEX64":
        flat = flat.view(np.float32)
    elif kind == "DT_COMPLEX128":
        flat = flat.view(np.float64)
    values.extend(flat.tolist())


def _from_content(
    content: bytes, kind: str, shape: tuple[int, ...], count: int, name: str
) -> Array:
    dtype = NUMPY_DTYPES[kind]
    if kind == "DT_STRING":
        raise _wrong(name, "strings must be in string_val, not in tensor_content")
    if len(content) != count * dtype.itemsize:
        raise _wrong(
            name,
            f"its tensor_content has {len(content)} bytes, but {kind} of shape {list(shape)} takes "
            f"{count * dtype.itemsize}",
        )
    return np.frombuffer(content, dtype.newbyteorder("<")).astype(dtype, copy=False).reshape(shape)


def _from_values(values: Any, kind: str, count: int, name: str) -> Array:
    dtype = NUMPY_DTYPES[kind]
    if kind == "DT_HALF":
        found: Array = np.array(values, np.uint32).astype(np.uint16).view(np.float16)
    elif kind in ("DT_COMPLEX64", "DT_COMPLEX128"):
        if len(values) % 2:
            raise _wrong(name, "it has half a complex number")
        parts = np.float32 if kind == "DT_COMPLEX64" else np.float64
        found = np.array(values, parts).view(dtype)
    else:
        found = np.array(values).astype(dtype) if len(values) else np.zeros(0, dtype)
    if len(found) == count:
        return found
    if len(found) > count:
        raise _wrong(name, f"it has {len(found)} values, but its shape takes {count}")
    _check_copies(count, name)
    last = found[-1] if len(found) else dtype.type(0)
    return np.concatenate([found, np.full(count - len(found), last, dtype)])


def _extended(values: list[Any], count: int, name: str, nothing: Any) -> list[Any]:
    if len(values) > count:
        raise _wrong(name, f"it has {len(values)} values, but its shape takes {count}")
    if len(values) < count:
        _check_copies(count, name)
        values += [values[-1] if values else nothing] * (count - len(values))
    return values


def _check_copies(count: int, name: str) -> None:
    if count > _MOST_COPIES:
        raise _wrong(name, f"its shape takes {count} values, which the message does not have")


def _wrong(name: str, what: str) -> ServingError:
    return ServingError(Code.INVALID_ARGUMENT, f"tensor parsing error: {name}: {what}.")
