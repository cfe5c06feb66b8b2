"""Answers are written as TensorFlow Serving writes them: numbers, lists, texts, messages."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from image_classifier.model_files.signatures import Array, Signature, TensorInfo
from image_classifier.protocols.tf_serving.errors import Code, ServingError
from image_classifier.protocols.tf_serving.json.parse import parse
from image_classifier.protocols.tf_serving.json.predict_request import parse_predict
from image_classifier.protocols.tf_serving.json.responses import (
    format_classify,
    format_error,
    format_predict,
    format_regress,
)
from image_classifier.protocols.tf_serving.json.value_format import decimals


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.2, "0.2"),
        (1, "1.0"),
        (0, "0.0"),
        (-0.0, "-0.0"),
        (9000000, "9e+06"),
        (0.00003, "3e-05"),
        (0.20207857, "0.202078566"),
        (16777215, "16777215.0"),
        (1e30, "1e+30"),
        (float("nan"), "NaN"),
        (float("inf"), "Infinity"),
        (float("-inf"), "-Infinity"),
    ],
)
def test_a_float_has_six_digits_or_all_it_needs(value: float, text: str) -> None:
    assert decimals(np.array([value], np.float32)) == [text]


def test_a_double_has_six_digits_or_seventeen() -> None:
    assert decimals(np.array([0.1, 1 / 3, 2.0])) == ["0.1", "0.33333333333333331", "2.0"]


@given(st.lists(st.floats(width=32), max_size=20))
def test_floats_can_be_read_back_to_the_bit(values: list[float]) -> None:
    array = np.array(values, np.float32)
    back = np.array([float(text) for text in decimals(array)], np.float32)

    assert np.array_equal(array, back, equal_nan=True)


# TensorFlow Serving itself does not take its nine digits of the very largest float back.
ALMOST_ALL = st.floats(width=32).filter(lambda value: not 3.4e38 < abs(value) < np.inf)


@given(st.lists(st.lists(ALMOST_ALL, min_size=2, max_size=2), min_size=1, max_size=9))
def test_an_answer_can_be_sent_back_as_a_request(rows: list[list[float]]) -> None:
    array = np.array(rows, np.float32)
    signature = Signature({"x": TensorInfo("x:0", "DT_FLOAT", None)}, {})
    for row, answered, asked in ((True, "predictions", "instances"), (False, "outputs", "inputs")):
        document = parse(format_predict({"y": array}, row))
        found = parse_predict({asked: document[answered]}, signature)
        assert np.array_equal(found.inputs["x"], array, equal_nan=True)


def texts(*values: bytes) -> Array:
    array: Array = np.empty(len(values), object)
    array[:] = values
    return array


GOLDEN = [
    (
        {"y": np.array([2.5, 3.0, 4.5], np.float32)},
        True,
        '{\n    "predictions": [2.5, 3.0, 4.5\n    ]\n}',
    ),
    (
        {"y": np.array([[0.1, 0.9], [1, 0]], np.float32)},
        True,
        '{\n    "predictions": [[0.1, 0.9], [1.0, 0.0]\n    ]\n}',
    ),
    (
        {"y": np.array([2.5, 3.0], np.float32)},
        False,
        '{\n    "outputs": [\n        2.5,\n        3.0\n    ]\n}',
    ),
    (
        {"y": np.array([[1, 2]], np.int64)},
        False,
        '{\n    "outputs": [\n        [\n            1,\n            2\n        ]\n    ]\n}',
    ),
    ({"y": np.float32(2.5).reshape(())}, False, '{\n    "outputs": 2.5\n}'),
    ({"y": np.zeros((0, 3), np.float32)}, True, '{\n    "predictions": []\n}'),
    ({"y": np.zeros((2, 0), np.float32)}, True, '{\n    "predictions": [[], []\n    ]\n}'),
    ({"y": np.zeros((0,), np.float32)}, False, '{\n    "outputs": []\n}'),
    (
        {"b": np.array([1, 2], np.int32), "a": np.array([[True], [False]])},
        True,
        '{\n    "predictions": [\n'
        '        {\n            "a": [true],\n            "b": 1\n        },\n'
        '        {\n            "a": [false],\n            "b": 2\n        }\n    ]\n}',
    ),
    (
        {"a": np.array([1], np.int32), "b": np.array([2.0])},
        False,
        '{\n    "outputs": {\n        "a": [\n            1\n        ],\n'
        '        "b": [\n            2.0\n        ]\n    }\n}',
    ),
    (
        {"s": texts(b'a"\\/\n\x01', "ü".encode())},
        True,
        '{\n    "predictions": ["a\\"\\\\/\\n\\u0001", "ü"\n    ]\n}',
    ),
    (
        {"s_bytes": texts(b"\x00\xff")},
        True,
        '{\n    "predictions": [{\n            "b64": "AP8="\n        }\n    ]\n}',
    ),
    (
        {"s_bytes": texts(b"\x00\xff")},
        False,
        '{\n    "outputs": [\n        {\n            "b64": "AP8="\n        }\n    ]\n}',
    ),
    (
        {"a_bytes": texts(b"\x00\xff", b"", b"A", b"B").reshape(2, 1, 2), "b": np.zeros((2, 0))},
        True,
        '{\n    "predictions": [\n'
        '        {\n            "a_bytes": [[{\n                        "b64": "AP8="\n'
        '                    }, {\n                        "b64": ""\n                    }]],\n'
        '            "b": []\n        },\n'
        '        {\n            "a_bytes": [[{\n                        "b64": "QQ=="\n'
        '                    }, {\n                        "b64": "Qg=="\n'
        "                    }]],\n"
        '            "b": []\n        }\n    ]\n}',
    ),
    (
        {"y": np.zeros((2, 2, 0), np.int32)},
        True,
        '{\n    "predictions": [[[], []], [[], []]\n    ]\n}',
    ),
    ({"h": np.array([0.5], np.float16)}, True, '{\n    "predictions": [0.5\n    ]\n}'),
]


@pytest.mark.parametrize(("outputs", "row", "expected"), GOLDEN)
def test_predictions_are_laid_out_as_rapidjson_lays_them_out(
    outputs: dict[str, Array], row: bool, expected: str
) -> None:
    assert format_predict(outputs, row) == expected.encode()


def test_bytes_that_are_no_utf_8_are_written_as_they_are() -> None:
    assert b'["\xff\x80"' in format_predict({"s": texts(b"\xff\x80")}, True)


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ({}, "Cannot convert empty tensor map to JSON"),
        ({"y": np.float32(1).reshape(())}, "Tensor name: y has no shape information "),
        (
            {"a": np.zeros(2, np.float32), "b": np.zeros(3, np.float32)},
            "Tensor name: b has inconsistent batch size: 3 expecting: 2",
        ),
        (
            {"c": np.zeros(1, np.complex64)},
            "Failed to write JSON value for tensor type: complex64",
        ),
    ],
)
def test_what_cannot_be_written_is_said(outputs: dict[str, Array], message: str) -> None:
    with pytest.raises(ServingError) as caught:
        format_predict(outputs, True)
    assert caught.value.message == message
    assert caught.value.code is Code.INVALID_ARGUMENT


def test_classes_and_numbers() -> None:
    classes = [[(b"a", 0.25), (b"b", 0.75)], [(b"a", 1.0)]]
    assert (
        format_classify(classes)
        == b'{\n    "results": [[["a", 0.25], ["b", 0.75]], [["a", 1.0]]\n    ]\n}'
    )
    assert format_regress([2.5, 4]) == b'{\n    "results": [2.5, 4.0]\n}'


def test_an_error_is_laid_out_as_rapidjson_does_it() -> None:
    assert format_error("no") == b'{\n    "error": "no"\n}'
    message = "'a' \"b\" \\ \n ü \x00"
    assert json.loads(format_error(message)) == {"error": message}
