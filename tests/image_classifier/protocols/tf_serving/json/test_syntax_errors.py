"""Documents are refused in RapidJSON's words.

The words and offsets were given by RapidJSON 1.1.0 itself, under TensorFlow Serving's flags.
"""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image_classifier.protocols.tf_serving.errors import Code, ServingError
from image_classifier.protocols.tf_serving.json.parse import parse
from image_classifier.protocols.tf_serving.json.syntax_errors import find_fault

GOLDEN = [
    (b" \n", "The document is empty. at offset: 2"),
    (b"\x00{}", "The document is empty. at offset: 0"),
    (b"<html>", "Invalid value. at offset: 0"),
    (b'{"a": nope}', "Invalid value. at offset: 7"),
    (b'{"a": nul', "Invalid value. at offset: 9"),
    (b'{"a": trux}', "Invalid value. at offset: 9"),
    (b'{"a": -x}', "Invalid value. at offset: 7"),
    (b'{"a": Inx}', "Invalid value. at offset: 8"),
    (b'{"a": Infinitx}', "Invalid value. at offset: 13"),
    (b'{"a": Nan}', "Invalid value. at offset: 8"),
    (b'{"a": [1,]}', "Invalid value. at offset: 9"),
    (b'{"a": [1, "b", [2, 3], x]}', "Invalid value. at offset: 23"),
    (b'{"a": ', "Invalid value. at offset: 6"),
    (b'{"a": +1}', "Invalid value. at offset: 6"),
    (b'{"a": .5}', "Invalid value. at offset: 6"),
    (b"{a: 1}", "Missing a name for object member. at offset: 1"),
    (b'{"a": 1, }', "Missing a name for object member. at offset: 9"),
    (b'{"a" 1}', "Missing a colon after a name of object member. at offset: 5"),
    (b'{"a": 1 "b": 2}', "Missing a comma or '}' after an object member. at offset: 8"),
    (b'{"a": 1', "Missing a comma or '}' after an object member. at offset: 7"),
    (b'{"a": 01}', "Missing a comma or '}' after an object member. at offset: 7"),
    (b'{"a": [1 2]}', "Missing a comma or ']' after an array element. at offset: 9"),
    (b'{"]": [1 2]}', "Missing a comma or ']' after an array element. at offset: 9"),
    (b"[[1], [2}", "Missing a comma or ']' after an array element. at offset: 8"),
    (b'{"a": {"b": 1]', "Missing a comma or '}' after an object member. at offset: 13"),
    (b'{"a": "\xc3\xbc", 2}', "Missing a name for object member. at offset: 12"),
    (b'\xef\xbb\xbf{"a": x}', "Invalid value. at offset: 9"),
    (b'{"a": "x', "Missing a closing quotation mark in string. at offset: 8"),
    (b'{"a": "x\x00"}', "Missing a closing quotation mark in string. at offset: 8"),
    (b'{"a": "\n"}', "Invalid escape character in string. at offset: 7"),
    (b'{"a": "\x01u0041"}', "Invalid escape character in string. at offset: 7"),
    (b'{"a": "\\x"}', "Invalid escape character in string. at offset: 7"),
    (b'{"a": "\\', "Invalid escape character in string. at offset: 7"),
    (b'{"a": "\\u12g4"}', "Incorrect hex digit after \\u escape in string. at offset: 7"),
    (b'{"a": "\\ud83d\\u12g4"}', "Incorrect hex digit after \\u escape in string. at offset: 7"),
    (b'{"a": "\\ud800"}', "The surrogate pair in string is invalid. at offset: 7"),
    (b'{"a": "\\ud83d\\ud83d"}', "The surrogate pair in string is invalid. at offset: 7"),
    (b'{"a": "ok\\ud83dx"}', "The surrogate pair in string is invalid. at offset: 9"),
    (b'{"a": 1.}', "Miss fraction part in number. at offset: 8"),
    (b'{"a": 1.x}', "Miss fraction part in number. at offset: 8"),
    (b'{"a": 1e}', "Miss exponent in number. at offset: 8"),
    (b'{"a": 1e+}', "Miss exponent in number. at offset: 9"),
    (b'{"a": 1e309}', "Number too big to be stored in double. at offset: 6"),
    (b'{"a": [0.5, 12.5e310]}', "Number too big to be stored in double. at offset: 12"),
    (b'{"a": ' + b"1" * 310 + b"}", "Number too big to be stored in double. at offset: 6"),
    (b'{"a": 18' + b"0" * 307 + b"}", "Number too big to be stored in double. at offset: 6"),
]
TAKEN = [
    b'{"a": 1e308}',
    b'{"a": 1' + b"0" * 308 + b"}",
    b'{"a": 1e-400}',
    b'{"a": [-NaN, Inf, -Infinity]}',
    b"{} x",
    b'{"a": "\\\\ud800"}',
    b'{"a": "\\ud83d\\ude00"}',
    b'\xef\xbb\xbf {"a": [[], {}, [[1, 2], [3]], {"b": {}}]}',
    b'{"a": "\xff\x7f\\u0000"}',
]


@pytest.mark.parametrize(("body", "fault"), GOLDEN)
def test_faults_have_rapidjsons_words_and_offsets(body: bytes, fault: str) -> None:
    with pytest.raises(ServingError) as caught:
        parse(body)

    assert caught.value.code is Code.INVALID_ARGUMENT
    assert caught.value.message == f"JSON Parse error: {fault}"


@pytest.mark.parametrize("body", TAKEN)
def test_what_rapidjson_takes_is_taken(body: bytes) -> None:
    assert find_fault(body, 3 if body.startswith(b"\xef") else 0) is None
    assert isinstance(parse(body), dict)


def test_the_second_half_of_a_pair_alone_is_refused_too() -> None:
    # RapidJSON 1.1.0 takes it, and makes three bytes of it that are no UTF-8.
    fault = find_fault(b'{"a": "\\ude00"}')

    assert fault == "The surrogate pair in string is invalid. at offset: 7"


def test_the_end_of_a_long_body_is_reached() -> None:
    for repeated in (b"1.5e-9, ", b"[1, 2, 3],", b'"text",', b'[["a"], null],', b'{"b": [1]},'):
        body = b'{"a": [' + repeated * 1000

        assert find_fault(body) == f"Invalid value. at offset: {len(body)}"


def test_no_depth_of_nesting_does_harm() -> None:
    body = b'{"a": ' + b"[" * 100_000 + b"}"

    assert find_fault(body) == "Invalid value. at offset: 100006"


DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(DOCUMENTS, st.booleans(), st.sampled_from([None, 1, 4]))
def test_no_fault_is_found_in_what_python_writes(
    document: object, ascii_only: bool, indent: int | None
) -> None:
    text = json.dumps(document, ensure_ascii=ascii_only, indent=indent)

    assert find_fault(text.encode("utf-8", "surrogatepass")) is None


@given(DOCUMENTS, st.randoms(use_true_random=False))
def test_a_fault_is_found_wherever_python_finds_one(
    document: object, chance: random.Random
) -> None:
    body = bytearray(json.dumps({"a": document}).encode())
    body[chance.randrange(len(body))] = chance.choice(b'{}[],:"\\0x\x01')
    try:
        json.JSONDecoder().raw_decode(body.decode())
    except json.JSONDecodeError:
        assert find_fault(bytes(body)) is not None
