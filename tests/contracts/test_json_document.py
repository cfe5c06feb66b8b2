"""JSON is read as RapidJSON reads it, and refused in its words."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image_classifier.contracts.json_document import parse
from image_classifier.contracts.serving_error import Code, ServingError


def refused(body: bytes) -> str:
    with pytest.raises(ServingError) as caught:
        parse(body)
    assert caught.value.code is Code.INVALID_ARGUMENT
    return caught.value.message


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "The document is empty"),
        (b" \n", "The document is empty. at offset: 2"),
        (b"<html>", "Invalid value. at offset: 0"),
        (b'{"a": nope}', "Invalid value. at offset: 7"),
        (b'{"a": nul', "Invalid value. at offset: 9"),
        (b'{"a": -x}', "Invalid value. at offset: 7"),
        (b'{"a": [1,]}', "Invalid value. at offset: 9"),
        (b'{"a": ', "Invalid value. at offset: 6"),
        (b"{a: 1}", "Missing a name for object member. at offset: 1"),
        (b'{"a": 1, }', "Missing a name for object member. at offset: 9"),
        (b'{"a" 1}', "Missing a colon after a name of object member. at offset: 5"),
        (b'{"a": 1 "b": 2}', "Missing a comma or } after an object member. at offset: 8"),
        (b'{"a": 1', "Missing a comma or } after an object member. at offset: 7"),
        (b'{"a": [1 2]}', "Missing a comma or ] after an array element. at offset: 9"),
        (b'{"]": [1 2]}', "Missing a comma or ] after an array element. at offset: 9"),
        (b'{"a": "\xc3\xbc", 2}', "Missing a name for object member. at offset: 12"),
        (b'{"a": "x', "Missing a closing quotation mark in string. at offset: 8"),
        (b'{"a": "\n"}', "Invalid encoding in string. at offset: 7"),
        (b'{"a": "\\x"}', "Invalid escape character in string. at offset: 7"),
        (b'{"a": "\\u12g4"}', "Incorrect hex digit after \\u escape in string. at offset: 7"),
        (b'{"a": "\\ud800"}', "The surrogate pair in string is invalid. at offset: 7"),
        (b'{"a": 1.}', "Miss fraction part in number. at offset: 8"),
        (b'{"a": 1e}', "Miss exponent in number. at offset: 8"),
        (b'{"a": 1e+}', "Miss exponent in number. at offset: 9"),
        (b'{"a": 1e999}', "Number too big to be stored in double. at offset: 6"),
    ],
)
def test_faults_have_rapidjsons_words_and_offsets(body: bytes, message: str) -> None:
    assert refused(body) == f"JSON Parse error: {message}"


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


@given(st.binary(max_size=60))
def test_no_body_does_more_than_be_refused(body: bytes) -> None:
    try:
        assert isinstance(parse(b'{"a": ' + body), dict)
    except ServingError as exc:
        assert exc.message.startswith("JSON Parse error: ")
