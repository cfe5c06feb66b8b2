"""Predict requests, by rows and by columns, become arrays or are refused in the known words."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from image_classifier.model_files.signatures import NUMPY_DTYPES, Signature, TensorInfo
from image_classifier.protocols.tf_serving.errors import Code, ServingError
from image_classifier.protocols.tf_serving.json import arrays
from image_classifier.protocols.tf_serving.json.arrays import value_of
from image_classifier.protocols.tf_serving.json.predict_request import (
    PredictJson,
    parse_predict,
    signature_name_of,
)


def signature(**dtypes: str) -> Signature:
    infos = {name: TensorInfo(f"{name}_in:0", dtype, None) for name, dtype in dtypes.items()}
    return Signature(infos, {})


FLOAT = signature(x="DT_FLOAT")
TEXT = signature(s="DT_STRING")
TWO = signature(a="DT_FLOAT", b="DT_STRING")


def read(document: Any, of: Signature = FLOAT) -> PredictJson:
    return parse_predict(document, of)


def refused(document: Any, of: Signature = FLOAT) -> tuple[Code, str]:
    with pytest.raises(ServingError) as caught:
        read(document, of)
    return caught.value.code, caught.value.message


@pytest.mark.parametrize(
    ("of", "document", "expected"),
    [
        (FLOAT, {"instances": [1, 2.5]}, {"x": [1.0, 2.5]}),
        (FLOAT, {"instances": [[[1, 2]], [[3, 4]]]}, {"x": [[[1.0, 2.0]], [[3.0, 4.0]]]}),
        (FLOAT, {"instances": [{"x": [1]}, {"x": [2]}]}, {"x": [[1.0], [2.0]]}),
        (FLOAT, {"inputs": [[1, 2]]}, {"x": [[1.0, 2.0]]}),
        (FLOAT, {"inputs": 1}, {"x": 1.0}),
        (FLOAT, {"inputs": {"x": [1]}}, {"x": [1.0]}),
        (FLOAT, {"instances": [[], []]}, {"x": [[], []]}),
        (FLOAT, {"inputs": []}, {"x": []}),
        (TEXT, {"instances": ["a", "ü"]}, {"s": [b"a", "ü".encode()]}),
        (TEXT, {"instances": [{"b64": "AP8="}, {"b64": "AP8"}]}, {"s": [b"\0\xff"] * 2}),
        (TEXT, {"instances": [{"b64": " +\n/ 8.\t"}]}, {"s": [b"\xfb\xff"]}),
        (TEXT, {"instances": [{"b64": "QQ"}, {"b64": "QR=="}]}, {"s": [b"A", b"A"]}),
        (TEXT, {"instances": [{"s": {"b64": "AP8="}}]}, {"s": [b"\0\xff"]}),
        (TEXT, {"instances": [["a", {"b64": "AP8="}]]}, {"s": [[b"a", b"\0\xff"]]}),
        (TEXT, {"inputs": {"b64": "AP8="}}, {"s": b"\0\xff"}),
        (
            TWO,
            {"instances": [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]},
            {"a": [1.0, 2.0], "b": [b"x", b"y"]},
        ),
        (TWO, {"inputs": {"a": [[1]], "b": ["x", "y"]}}, {"a": [[1.0]], "b": [b"x", b"y"]}),
        (signature(x="DT_BOOL"), {"instances": [True, False]}, {"x": [True, False]}),
        (signature(x="DT_UINT64"), {"instances": [2**64 - 1]}, {"x": [2**64 - 1]}),
        (signature(x="DT_INT64"), {"instances": [-(2**63)]}, {"x": [-(2**63)]}),
        (signature(x="DT_DOUBLE"), {"instances": [0.1]}, {"x": [0.1]}),
    ],
)
def test_requests_become_arrays(
    of: Signature, document: dict[str, Any], expected: dict[str, Any]
) -> None:
    found = read(document, of)

    assert found.row == ("instances" in document)
    assert found.inputs.keys() == expected.keys()
    for name, array in found.inputs.items():
        assert array.dtype == NUMPY_DTYPES[of.inputs[name].dtype]
        assert array.tolist() == expected[name]


def test_inputs_are_known_by_tensor_name_too() -> None:
    for document in (
        {"instances": [{"a_in:0": 1, "b": "x"}]},
        {"inputs": {"a": [1], "b_in:0": ["x"]}},
    ):
        found = read(document, TWO)
        assert found.inputs.keys() == {"a", "b"}
        assert found.used_tensor_names
    assert not read({"inputs": {"a": 1, "b": "x"}}, TWO).used_tensor_names


def test_the_signature_is_the_default_unless_one_is_named() -> None:
    documents = ({"instances": [1]}, {"instances": [1], "signature_name": "s"})

    assert [signature_name_of(each) for each in documents] == ["serving_default", "s"]
    assert [read(each).signature_name for each in documents] == ["serving_default", "s"]


INVALID = [
    (FLOAT, {}, "Missing 'inputs' or 'instances' key"),
    (
        FLOAT,
        {"instances": [1], "inputs": [1]},
        'JSON Value: {\n    "instances": [\n        1\n    ],\n    "inputs": [\n        1\n    ]\n}'
        " Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist ",
    ),
    (
        FLOAT,
        {"instances": 1},
        "JSON Value: {\n    \"instances\": 1\n} Expecting 'instances' to be an list/array",
    ),
    (
        FLOAT,
        {"instances": []},
        "JSON Value: {\n    \"instances\": []\n} No values in 'instances' array",
    ),
    (
        FLOAT,
        {"signature_name": 7, "instances": [1]},
        'JSON Value: {\n    "signature_name": 7,\n    "instances": [\n        1\n    ]\n} not '
        "formatted correctly. 'signature_name' key must be a string value.",
    ),
    (
        FLOAT,
        {"instances": ["x"]},
        "Failed to process element: 0 of 'instances' list. Error: INVALID_ARGUMENT: JSON Value: "
        '"x" Type: String is not of expected type: float',
    ),
    (
        FLOAT,
        {"instances": [1, True]},
        "Failed to process element: 1 of 'instances' list. Error: INVALID_ARGUMENT: JSON Value: "
        "true Type: True is not of expected type: float",
    ),
    (
        FLOAT,
        {"instances": [[1, 2, 3, 4], [1, 2, 3]]},
        "Failed to process element: 1 of 'instances' list. Error: INVALID_ARGUMENT: Expecting "
        "tensor size: 4 but got: 3",
    ),
    (
        FLOAT,
        {"instances": [[[1, 2]], [[1], [2]]]},
        "Failed to process element: 1 of 'instances' list. Error: INVALID_ARGUMENT: Expecting "
        "shape [1,2] but got: [2,1]",
    ),
    (
        FLOAT,
        {"instances": [[[1, 2], [3]]]},
        "Failed to process element: 0 of 'instances' list. Error: INVALID_ARGUMENT: Encountered "
        "list at unexpected size: 1 at level: 1 expected size: 2",
    ),
    (FLOAT, {"inputs": [[1, 2], 3]}, None),
    (
        FLOAT,
        {"inputs": [1, [2]]},
        "Encountered list at unexpected level: 1 expected < 1",
    ),
    (
        FLOAT,
        {"inputs": [2**24]},
        "Cannot convert JSON value: 16777216 to float without loss of precision.",
    ),
    (
        FLOAT,
        {"inputs": [-16777217]},
        "Cannot convert JSON value: -16777217 to float without loss of precision.",
    ),
    (
        FLOAT,
        {"inputs": [1e39]},
        "Cannot convert JSON value: 1e+39 to float without loss of precision.",
    ),
    (
        signature(x="DT_INT32"),
        {"inputs": [1.5]},
        "JSON Value: 1.5 Type: Number is not of expected type: int32",
    ),
    (
        signature(x="DT_INT32"),
        {"inputs": [2**31]},
        "JSON Value: 2147483648 Type: Number is not of expected type: int32",
    ),
    (
        TEXT,
        {"inputs": [1]},
        "JSON Value: 1 Type: Number is not of expected type: string",
    ),
    *[
        (TEXT, {"inputs": [{"b64": text}]}, "Unable to base64 decode")
        for text in (
            "*",
            "A",
            "AAAAA",
            "QQ=",
            "QQ===",
            "QUI==",
            "AAAA=",
            "AAAA====",
            "Q\xa0Q==",
            "=",
            "-_8=",
            "ü",
            "Q=Q=",
        )
    ],
    (
        FLOAT,
        {"inputs": 1, "signature_name": None},
        'JSON Value: {\n    "inputs": 1,\n    "signature_name": null\n} not formatted correctly. '
        "'signature_name' key must be a string value.",
    ),
    (Signature({}, {}), {"inputs": 1}, "Failed to get input map for signature: DEFAULT"),
    (
        signature(x="DT_HALF"),
        {"instances": [1]},
        "Failed to process element: 0 of 'instances' list. Error: UNIMPLEMENTED: Conversion of "
        "JSON Value: 1 to type: half",
    ),
    (
        TEXT,
        {"inputs": [{"b64": 1}]},
        'JSON Value: {\n    "b64": 1\n} not formatted correctly for base64 data',
    ),
    (
        TWO,
        {"instances": [1]},
        "instances is a plain list, but expecting list of objects as multiple input tensors "
        "required as per tensorinfo_map",
    ),
    (
        TWO,
        {"inputs": [1]},
        "inputs is a plain value/list, but expecting an object as multiple input tensors required "
        "as per tensorinfo_map",
    ),
    (TWO, {"inputs": {"a": 1}}, "Missing named input: b in 'inputs' object."),
    (
        TWO,
        {"instances": [{"a": 1, "b": "x"}, 2]},
        "Expecting object but got list at item 1 of input list",
    ),
    (
        FLOAT,
        {"instances": [1, {"x": 1}]},
        "Expecting value/list but got object at item 1 of input list",
    ),
    (
        TWO,
        {"instances": [{"a": 1}]},
        "Failed to process element: 0 of 'instances' list. JSON object: {\n    \"a\": 1\n} keys "
        "must be equal to: a,b",
    ),
    (
        TWO,
        {"instances": [{"a": 1, "c": 2}]},
        "Failed to process element: 0 key: c of 'instances' list. Error: INVALID_ARGUMENT: JSON "
        "object: does not have named input: c",
    ),
    (
        TWO,
        {"instances": [{"a": "x", "b": "x"}]},
        "Failed to process element: 0 key: a of 'instances' list. Error: INVALID_ARGUMENT: JSON "
        'Value: "x" Type: String is not of expected type: float',
    ),
]


@pytest.mark.parametrize(("of", "document", "message"), INVALID)
def test_faults_have_tensorflow_servings_words(
    of: Signature, document: dict[str, Any], message: str | None
) -> None:
    code, found = refused(document, of)

    assert code is Code.INVALID_ARGUMENT
    if message is None:
        assert found.startswith("JSON Value: 3 found at incorrect level: 2 in the JSON DOM")
    else:
        assert found == message


@pytest.mark.parametrize("dtype", ["DT_HALF", "DT_UINT16", "DT_COMPLEX64"])
def test_types_that_json_does_not_know_are_unimplemented(dtype: str) -> None:
    code, message = refused({"inputs": [1]}, signature(x=dtype))

    assert code is Code.UNIMPLEMENTED
    assert message == f"Conversion of JSON Value: 1 to type: {dtype[3:].lower()}"


@pytest.mark.parametrize("depth", [63, 64, 200, 800])
@pytest.mark.parametrize("leaf", [1, "a", {"b": []}])
def test_lists_in_lists_are_read_or_refused_at_every_depth(depth: int, leaf: Any) -> None:
    value = leaf
    for _ in range(depth):
        value = [value]
    if depth == 63 and leaf == 1:
        assert read({"inputs": value}).inputs["x"].ndim == 63
        assert read({"instances": [value]}).inputs["x"].ndim == 64
        return
    for document in ({"inputs": value}, {"instances": [value]}, {"inputs": value, "instances": 1}):
        code, _ = refused(document)
        assert code is Code.INVALID_ARGUMENT


LEAVES = st.one_of(
    st.integers(-(2**25), 2**25),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.booleans(),
    st.none(),
    st.text(max_size=3),
    st.just({"b64": "AAAA"}),
)


@settings(max_examples=150)
@given(
    st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3), max_leaves=8),
    st.sampled_from(["DT_FLOAT", "DT_DOUBLE", "DT_INT32", "DT_UINT64", "DT_UINT8", "DT_BOOL"]),
)
def test_the_quick_way_and_the_slow_way_agree(value: Any, dtype: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arrays, "_dense", lambda values, dtype: None)
        slow = _outcome(value, dtype)
    assert _outcome(value, dtype) == slow


def _outcome(value: Any, dtype: str) -> object:
    try:
        found = value_of(value, dtype)
    except ServingError as exc:
        return exc.message
    return found.dtype, found.shape, found.tobytes()


def test_an_image_of_floats_takes_the_quick_way(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.random.default_rng(0).random((2, 64, 64, 3), np.float32)
    document = {"instances": json.loads(json.dumps(pixels.tolist()))}

    def trap(*args: object) -> None:
        raise AssertionError("value by value")

    monkeypatch.setattr(arrays, "_fill", trap)

    assert np.array_equal(read(document).inputs["x"], pixels)
