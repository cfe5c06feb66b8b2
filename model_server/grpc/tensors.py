"""Converts TensorProto to NumPy and back, for every type of the protocol."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from image_classifier.model_files.signatures import NUMPY_DTYPES, Array
from image_classifier.protocols.tf_serving.errors import Code, ServingError
from image_classifier.protocols.tf_serving.tensor_names import dtype_name
from model_server.grpc.messages import DATA_TYPES

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
# Values that are not written out are copies of the last one: a message of a few bytes may become
# this much memory and no more. It is room for a batch of a hundred images of zeros.
_MOST_COPIED_BYTES = 2**26
_MOST_DIMENSIONS = 64  # NumPy has no more
# Packed fields hold these as memory does: bytes are many times faster than a list of numbers.
_PACKED = frozenset({"DT_FLOAT", "DT_DOUBLE", "DT_COMPLEX64", "DT_COMPLEX128"})


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
    if len(shape) > _MOST_DIMENSIONS:
        raise _wrong(name, f"it has {len(shape)} dimensions; {_MOST_DIMENSIONS} are the most")
    count = math.prod(shape)
    # An empty tensor may have any other sizes, as far as NumPy can address them.
    if math.prod(size or 1 for size in shape) * NUMPY_DTYPES[kind].itemsize >= 2**63:
        raise _wrong(name, f"its shape {list(shape)} is larger than any memory")
    content = proto.tensor_content  # read once: each access copies it out of the message
    if content:
        return _from_content(content, kind, shape, count, name)
    values = getattr(proto, _FIELDS[kind])
    if kind == "DT_STRING":
        listed = _extended(list(values), count, name)
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
    if kind in _PACKED:
        proto.MergeFromString(_packed_field(proto, _FIELDS[kind], flat.tobytes()))
        return
    if kind == "DT_HALF":
        flat = flat.view(np.uint16)
    getattr(proto, _FIELDS[kind]).extend(flat.tolist())


def _packed_field(proto: Any, field: str, data: bytes) -> bytes:
    """A repeated field of numbers of a fixed size, as protobuf writes it: key, length, numbers."""
    if not data:
        return b""
    written = bytearray()
    for number in (proto.DESCRIPTOR.fields_by_name[field].number << 3 | 2, len(data)):
        while number > 127:
            written.append(number & 127 | 128)
            number >>= 7
        written.append(number)
    return bytes(written) + data


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
    if kind == "DT_BOOL":  # any byte but 0 means true
        flags: Array = np.frombuffer(content, np.uint8) != 0
        return flags.reshape(shape)
    return np.frombuffer(content, dtype.newbyteorder("<")).astype(dtype, copy=False).reshape(shape)


def _from_values(values: Any, kind: str, count: int, name: str) -> Array:
    dtype = NUMPY_DTYPES[kind]
    if kind == "DT_HALF":
        numbers: Array = np.array(values, np.int32).astype(np.uint16).view(np.float16)
    elif kind in ("DT_COMPLEX64", "DT_COMPLEX128"):
        if len(values) % 2:
            raise _wrong(name, "it has half a complex number")
        parts = np.float32 if kind == "DT_COMPLEX64" else np.float64
        numbers = np.array(values, parts).view(dtype)
    else:
        numbers = np.array(values).astype(dtype) if len(values) else np.zeros(0, dtype)
    if len(numbers) == count:
        return numbers
    if len(numbers) > count:
        raise _wrong(name, f"it has {len(numbers)} values, but its shape takes {count}")
    _check_copies(count * dtype.itemsize, name)
    last = numbers[-1] if len(numbers) else dtype.type(0)
    return np.concatenate([numbers, np.full(count - len(numbers), last, dtype)])


def _extended(values: list[bytes], count: int, name: str) -> list[bytes]:
    if len(values) > count:
        raise _wrong(name, f"it has {len(values)} values, but its shape takes {count}")
    if len(values) < count:
        _check_copies(count * 8, name)  # a pointer each
        values += [values[-1] if values else b""] * (count - len(values))
    return values


def _check_copies(size: int, name: str) -> None:
    if size > _MOST_COPIED_BYTES:
        raise _wrong(
            name,
            f"its shape takes {size} bytes of values, which the message does not have (copies of "
            f"the last value are made up to {_MOST_COPIED_BYTES} bytes)",
        )


def _wrong(name: str, what: str) -> ServingError:
    return ServingError(Code.INVALID_ARGUMENT, f"tensor parsing error: {name}: {what}.")
