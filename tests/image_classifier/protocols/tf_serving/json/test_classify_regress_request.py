"""Classify and regress requests become the Examples that TensorFlow reads."""

from __future__ import annotations

from typing import Any

import pytest

from image_classifier.protocols.tf_serving.errors import ServingError
from image_classifier.protocols.tf_serving.json.classify_regress_request import (
    parse_classify_regress,
)
from tests.support.read_example import features_of


def test_features_are_of_the_type_of_their_values() -> None:
    document = {
        "signature_name": "s",
        "examples": [
            {"i": 1, "f": 0.5, "t": "a", "b": True, "x": {"b64": "AP8="}, "none": []},
            {"i": [1, -2], "f": [0.5, 1.5], "t": ["a", {"b64": "AP8="}]},
        ],
    }
    found = parse_classify_regress(document)

    assert found.signature_name == "s"
    assert features_of(found.examples[0]) == {
        "i": [1],
        "f": [0.5],
        "t": [b"a"],
        "b": [1],
        "x": [b"\0\xff"],
        "none": None,
    }
    assert features_of(found.examples[1]) == {"i": [1, -2], "f": [0.5, 1.5], "t": [b"a", b"\0\xff"]}


@pytest.mark.parametrize("value", [-(2**63), 2**63 - 1])
def test_the_smallest_and_the_largest_int64_stay_integers(value: int) -> None:
    (found,) = parse_classify_regress({"examples": [{"i": value}]}).examples

    assert features_of(found) == {"i": [value]}


def test_integers_beyond_64_bits_are_floats() -> None:
    document = {"examples": [{"low": -(2**63) - 1, "high": 2**64}]}
    (found,) = parse_classify_regress(document).examples

    assert features_of(found) == {"low": [-(2.0**63)], "high": [2.0**64]}


def test_the_context_is_in_every_example_and_gives_way_to_it() -> None:
    document = {"context": {"c": 7, "x": 0.5}, "examples": [{"x": 1.5}, {"y": "a"}]}
    first, second = parse_classify_regress(document).examples

    assert features_of(first) == {"c": [7], "x": [1.5]}
    assert features_of(second) == {"c": [7], "x": [0.5], "y": [b"a"]}


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (
            {},
            "JSON Value: {} When method is classify, key 'examples' is expected and was not found",
        ),
        (
            {"examples": 1},
            "JSON Value: {\n    \"examples\": 1\n} Expecting 'examples' value to be an list/array",
        ),
        (
            {"examples": []},
            "JSON Value: {\n    \"examples\": []\n} 'examples' value is an empty array",
        ),
        ({"examples": [1]}, "Example must be JSON object but got JSON Number"),
        (
            {"examples": [{"a": None}]},
            "Feature: a has element with unexpected JSON type: Null",
        ),
        (
            {"examples": [{"a": [[1]]}]},
            "Feature: a has element with unexpected JSON type: Array",
        ),
        (
            {"examples": [{"a": {"b": 1}}]},
            "Feature: a has element with unexpected JSON type: Object",
        ),
        (
            {"examples": [{"a": [1, 0.5]}]},
            "Unexpected element type in feature: a expecting type: int64",
        ),
        (
            {"examples": [{"a": [1, 1e39]}]},
            "Unexpected element type in feature: a expecting type: int64",
        ),
        (
            {"examples": [{"a": ["x", 2**63]}]},
            "Unexpected element type in feature: a expecting type: bytes",
        ),
        ({"examples": [{"a": {"b64": "*"}}]}, "Unable to base64 decode"),
        (
            {"examples": [{"a": 2**63}]},
            "Feature: a has uint64 element. Only int64 is supported.",
        ),
        (
            {"examples": [{"a": 1e39}]},
            "Cannot convert JSON value: 1e+39 to float without loss of precision.",
        ),
    ],
)
def test_faults_have_tensorflow_servings_words(document: dict[str, Any], message: str) -> None:
    with pytest.raises(ServingError) as caught:
        parse_classify_regress(document)
    assert caught.value.message == message
