"""JSON is read as RapidJSON reads it, and refused in its words."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image_classifier.protocols.tf_serving.errors import Code, ServingError
from image_classifier.protocols.tf_serving.json.parse import parse


def refused(body: bytes) -> str:
    with pytest.raises(ServingError) as caught:
        parse(body)
    assert caught.value.code is Code.INVALID_ARGUMENT
    return caught.value.message


def test_an_empty_body_is_no_document() -> None:
    assert refused(b"") == "JSON Parse error: The document is empty"


def test_what_is_no_object_is_refused() -> None:
    assert refused(b'[1, "a"]') == 'JSON Value: [\n    1,\n    "a"\n] Is not object'
    assert refused(b"7") == "JSON Value: 7 Is not object"


def test_deep_nesting_is_refused_and_does_no_harm() -> None:
    assert "nested too deeply" in refused(b'{"a": ' + b"[" * 100_000)


def test_millions_of_objects_are_refused_before_they_are_made() -> None:
    assert "more than 1000000 objects" in refused(b'{"a": [' + b"{}," * 1_000_001)


def test_what_follows_the_document_is_ignored() -> None:
    assert parse(b'{"a": 1} and so on') == {"a": 1}
    assert parse(b'\xef\xbb\xbf {"a": 1}') == {"a": 1}


def test_numbers_that_json_does_not_have_are_read() -> None:
    values = parse(b'{"a": [NaN, -NaN, Inf, -Inf, Infinity, -Infinity, " Inf "]}')["a"]

    assert all(map(math.isnan, values[:2]))
    assert values[2:] == [math.inf, -math.inf, math.inf, -math.inf, " Inf "]


def test_of_members_with_one_name_the_first_counts() -> None:
    assert parse(b'{"a": 1, "a": 2, "b": {"c": 3, "c": 4}}') == {"a": 1, "b": {"c": 3}}


def test_strings_may_hold_bytes_that_are_no_utf_8() -> None:
    text: str = parse(b'{"a": "\xff\x80", "b": "\\ud83d\\ude00"}')["a"]

    assert text.encode("utf-8", "surrogateescape") == b"\xff\x80"


def test_an_escaped_backslash_before_a_u_is_no_escape() -> None:
    assert parse(b'{"a": "C:\\\\ud800"}') == {"a": "C:\\ud800"}


@given(st.binary(max_size=60))
def test_no_body_does_more_than_be_refused(body: bytes) -> None:
    try:
        assert isinstance(parse(b'{"a": ' + body), dict)
    except ServingError as exc:
        assert exc.message.startswith("JSON Parse error: ")
