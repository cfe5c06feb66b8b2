"""Examples are written as protobuf writes them: TensorFlow reads them back, and merges them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from image_classifier.protocols.tf_serving.json.example_proto import (
    Feature,
    encode_example,
    merge_examples,
)
from tests.support.read_example import features_of

FEATURES = st.one_of(
    st.builds(Feature, st.just("bytes"), st.lists(st.binary(max_size=300), max_size=3)),
    st.builds(Feature, st.just("float"), st.lists(st.floats(width=32, allow_nan=False))),
    st.builds(Feature, st.just("int64"), st.lists(st.integers(-(2**63), 2**63 - 1))),
)
EXAMPLES = st.dictionaries(st.text(max_size=5), FEATURES, max_size=4)


@settings(max_examples=60, deadline=None)
@given(EXAMPLES)
def test_tensorflow_reads_what_is_written(features: dict[str, Feature]) -> None:
    found = features_of(encode_example(features))

    assert found == {name: list(feature.values) for name, feature in features.items()}


@settings(max_examples=60, deadline=None)
@given(EXAMPLES, EXAMPLES)
def test_a_merged_example_has_the_contexts_features_unless_it_has_its_own(
    context: dict[str, Feature], own: dict[str, Feature]
) -> None:
    found = features_of(merge_examples(encode_example(context), encode_example(own)))

    assert found == {name: list(feature.values) for name, feature in (context | own).items()}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_floats_that_are_no_numbers_arrive(value: float) -> None:
    (found,) = features_of(encode_example({"x": Feature("float", [value])}))["x"]

    assert found == value or (math.isnan(found) and math.isnan(value))


def test_the_bytes_are_the_same_whatever_the_order() -> None:
    one, other = Feature("int64", [1]), Feature("bytes", [b"a"])

    assert encode_example({"a": one, "b": other}) == encode_example({"b": other, "a": one})


def test_an_example_without_features_and_a_feature_without_a_type_are_written() -> None:
    assert features_of(encode_example({})) == {}
    assert features_of(encode_example({"a": Feature("", [])})) == {"a": None}
