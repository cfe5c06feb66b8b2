"""Arrays there and back, in the words of the official messages."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from image_classifier_client import InvalidInput, ServerError
from image_classifier_client.messages import TensorProto
from image_classifier_client.tensors import fill_proto, to_array
from model_server.grpc import tensors as server

NAMES = ["float32", "float64", "float16", "int8", "int16", "int32", "int64"]
NAMES += ["uint8", "uint16", "uint32", "uint64", "bool", "complex64", "complex128"]


def sent(value: Any) -> Any:
    proto = TensorProto()
    fill_proto(proto, value, "x")
    return proto


@pytest.mark.parametrize("name", NAMES)
@settings(deadline=None)  # the first imports TensorFlow
@given(data=st.data())
def test_every_array_is_read_by_the_server_and_by_tensorflow_as_it_was(
    name: str, data: st.DataObject
) -> None:
    import tensorflow as tf
    from tensorflow.core.framework.tensor_pb2 import TensorProto as Official

    shapes = arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)
    value = data.draw(arrays.arrays(np.dtype(name), shapes))
    proto = sent(value)
    theirs = Official.FromString(proto.SerializeToString())

    for found in (server.from_proto(proto, "x"), tf.make_ndarray(theirs), to_array(proto, "x")):
        assert found.dtype == value.dtype
        assert found.shape == value.shape
        assert found.tobytes() == value.tobytes()


@pytest.mark.parametrize("as_content", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_what_the_server_writes_is_read_as_it_was(name: str, as_content: bool) -> None:
    value = np.arange(6).reshape(2, 3).astype(name)
    proto = TensorProto()
    server.fill_proto(proto, value, as_content=as_content)
    found = to_array(proto, "y")

    assert found.dtype == value.dtype
    assert np.array_equal(found, value)


def test_texts_keep_the_zeros_at_their_ends() -> None:
    for value in ([b"a\0", b""], np.array([b"a\0", b""], object), ["a\0", ""], [b"a\0", ""]):
        found = to_array(sent(value), "x")
        assert found.tolist() == [b"a\0", b""]
    assert to_array(sent("ä"), "x").tolist() == "ä".encode()
    for array in (np.array([["ä"]]), np.array([["ä"]], np.dtypes.StringDType())):
        assert to_array(sent(array), "x").tolist() == [["ä".encode()]]


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (1, "int32"),
        ([1, -2], "int32"),
        ([2**40], "int64"),
        (1.5, "float32"),
        ([[1, 2.5]], "float32"),
    ]
    + [
        (True, "bool"),
        ([], "float32"),
        (np.float64(1), "float64"),
        (np.array([1], np.int64), "int64"),
    ]
    + [(np.array([1.5], ">f4"), "float32"), (np.arange(6.0)[::2], "float64")],
)
def test_pythons_numbers_are_sent_as_tensorflow_sends_them(value: Any, dtype: str) -> None:
    found = to_array(sent(value), "x")

    assert found.dtype == dtype
    assert np.array_equal(found, value)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([[1], [1, 2]], "is ragged"),
        (np.array(["2020-01-01"], "datetime64[D]"), "the type datetime64"),
        (np.array([None]), "holds a NoneType"),
        (np.array([None], np.dtypes.StringDType(na_object=None)), "holds a NoneType"),
        ([None], "holds a NoneType"),
        ({"a": 1}, "holds a dict"),
    ],
)
def test_what_cannot_be_sent_is_invalid_input(value: Any, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        sent(value)


@pytest.mark.parametrize(
    "fields",
    [
        {"dtype": 0},
        {"dtype": 14},
        {"dtype": 999},
        {"dtype": 1, "float_val": [1, 2, 3], "tensor_shape": {"dim": [{"size": 2}]}},
        {"dtype": 1, "tensor_shape": {"dim": [{"size": 2}]}},
        {"dtype": 1, "float_val": [1], "tensor_shape": {"dim": [{"size": 2**50}]}},
        {"dtype": 1, "float_val": [1], "tensor_shape": {"dim": [{"size": -1}, {"size": -1}]}},
        {"dtype": 1, "tensor_content": b"12", "tensor_shape": {"dim": [{"size": 1}]}},
        {"dtype": 8, "scomplex_val": [1], "tensor_shape": {"dim": [{"size": 1}]}},
    ],
)
def test_an_answer_that_does_not_fit_together_is_the_servers_error(fields: dict[str, Any]) -> None:
    with pytest.raises(ServerError, match="The output 'y'"):
        to_array(TensorProto(**fields), "y")


def test_values_that_are_not_written_out_are_copies_of_the_last() -> None:
    proto = TensorProto(dtype=1, float_val=[1, 2], tensor_shape={"dim": [{"size": 4}]})

    assert to_array(proto, "y").tolist() == [1, 2, 2, 2]
