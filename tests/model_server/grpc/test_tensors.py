"""Tensors are read and written as TensorFlow does it, whatever the message says."""

from __future__ import annotations

import math
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from image_classifier.model_files.signatures import NUMPY_DTYPES, Array
from image_classifier.protocols.tf_serving.errors import Code, ServingError
from model_server.grpc.messages import DATA_TYPES, TensorProto
from model_server.grpc.tensors import fill_proto, from_proto

NUMBERS = [dtype for name, dtype in NUMPY_DTYPES.items() if name != "DT_STRING"]
VALUES = st.sampled_from(NUMBERS).flatmap(
    lambda dtype: arrays.arrays(dtype, arrays.array_shapes(min_dims=0, min_side=0, max_side=4))
)


def official(proto: Any) -> Any:
    from tensorflow.core.framework.tensor_pb2 import TensorProto as Official

    return Official.FromString(proto.SerializeToString())


def same(found: Array, expected: Array) -> bool:
    """To the bit: a NaN is itself, and -0.0 is not 0.0."""
    return (found.dtype, found.shape, found.tobytes()) == (
        expected.dtype,
        expected.shape,
        expected.tobytes(),
    )


@settings(max_examples=150, deadline=None)
@given(VALUES, st.booleans())
def test_tensorflow_reads_what_is_written(array: Array, as_content: bool) -> None:
    import tensorflow as tf

    proto = TensorProto()
    fill_proto(proto, array, as_content=as_content)

    assert bool(proto.tensor_content) == (as_content and array.size > 0)
    assert same(tf.make_ndarray(official(proto)), array)
    assert same(from_proto(proto, "x"), array)


@settings(max_examples=150, deadline=None)
@given(VALUES)
def test_what_tensorflow_writes_is_read(array: Array) -> None:
    import tensorflow as tf

    proto = TensorProto.FromString(tf.make_tensor_proto(array).SerializeToString())

    assert same(from_proto(proto, "x"), array)


@settings(max_examples=60, deadline=None)
@given(arrays.arrays(object, arrays.array_shapes(max_side=3), elements=st.binary(max_size=5)))
def test_strings_there_and_back(array: Array) -> None:
    import tensorflow as tf

    proto = TensorProto()
    fill_proto(proto, array)

    assert proto.string_val == list(array.reshape(-1))
    assert np.array_equal(tf.make_ndarray(official(proto)), array)
    assert np.array_equal(from_proto(proto, "x"), array)


ANY_TENSOR = st.fixed_dictionaries(
    {"dtype": st.sampled_from([*DATA_TYPES.values(), 99, -1])},
    optional={
        "tensor_content": st.binary(max_size=32),
        "float_val": st.lists(st.floats(width=32), max_size=4),
        "half_val": st.lists(st.integers(-(2**31), 2**31 - 1), max_size=4),
        "int_val": st.lists(st.integers(-(2**31), 2**31 - 1), max_size=4),
        "uint64_val": st.lists(st.integers(0, 2**64 - 1), max_size=4),
        "string_val": st.lists(st.binary(max_size=3), max_size=4),
        "bool_val": st.lists(st.booleans(), max_size=4),
        "scomplex_val": st.lists(st.floats(width=32), max_size=4),
    },
)
SIZES = st.one_of(
    st.lists(st.integers(-2, 4), max_size=4),
    st.lists(st.sampled_from([0, 1, 2, 2**20, 2**31, 2**62, 2**63 - 1, -(2**63)]), max_size=70),
)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(ANY_TENSOR, SIZES, st.booleans())
def test_any_message_gives_a_tensor_of_its_shape_or_a_sentence(
    fields: dict[str, Any], sizes: list[int], unknown_rank: bool
) -> None:
    proto = TensorProto(**fields)
    proto.tensor_shape.unknown_rank = unknown_rank
    for size in sizes:
        proto.tensor_shape.dim.add(size=size)
    try:
        found = from_proto(proto, "x")
    except ServingError as exc:
        assert exc.code is Code.INVALID_ARGUMENT
        assert exc.message.startswith("tensor parsing error: x: ")
    else:
        assert found.shape == tuple(sizes)
        assert found.size == math.prod(sizes)


@pytest.mark.parametrize("dtype", ["DT_FLOAT", "DT_COMPLEX128", "DT_STRING"])
def test_a_small_message_takes_little_memory(dtype: str) -> None:
    proto = TensorProto(dtype=DATA_TYPES[dtype])
    proto.tensor_shape.dim.add(size=2**24 + 1)
    tracemalloc.start()
    try:
        with pytest.raises(ServingError, match="which the message does not have"):
            from_proto(proto, "x")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 2**20


def test_content_is_not_copied() -> None:
    content = np.arange(8, dtype=np.float32).tobytes()
    proto = TensorProto(dtype=1, tensor_content=content)
    proto.tensor_shape.dim.add(size=8)

    assert not from_proto(proto, "x").flags.owndata


def test_a_byte_that_is_neither_true_nor_false_is_true() -> None:
    proto = TensorProto(dtype=10, tensor_content=b"\x00\x07")
    proto.tensor_shape.dim.add(size=2)

    assert from_proto(proto, "x").tobytes() == b"\x00\x01"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([b"a", b"z"], [b"a", b"z", b"z", b"z"]),
        ([b"a", b"b", b"c", b"z"], [b"a", b"b", b"c", b"z"]),
        ([], [b"", b"", b"", b""]),
    ],
)
def test_strings_that_are_not_written_out_are_copies_of_the_last(
    values: list[bytes], expected: list[bytes]
) -> None:
    proto = TensorProto(dtype=DATA_TYPES["DT_STRING"], string_val=values)
    proto.tensor_shape.dim.add(size=4)

    assert from_proto(proto, "x").tolist() == expected


def test_numbers_that_are_not_written_out_are_copies_of_the_last() -> None:
    proto = TensorProto(dtype=DATA_TYPES["DT_FLOAT"], float_val=[1.0, 2.5])
    proto.tensor_shape.dim.add(size=4)

    assert from_proto(proto, "x").tolist() == [1.0, 2.5, 2.5, 2.5]
