"""Values are repeated in errors as RapidJSON writes them, however many they are."""

from __future__ import annotations

import json
from typing import Any

import pytest

from image_classifier.protocols.tf_serving.json.parse import parse
from image_classifier.protocols.tf_serving.json.value_format import quoted, shown


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.2, "0.2"),
        (-0.0, "-0.0"),
        (100.0, "100.0"),
        (9000000.0, "9000000.0"),
        (1e20, "100000000000000000000.0"),
        (1e21, "1e21"),
        (1.5e21, "1.5e21"),
        (0.00001, "0.00001"),
        (1e-6, "0.000001"),
        (1.5e-7, "1.5e-7"),
        (5e-324, "5e-324"),
        (2**64, "18446744073709552000.0"),
        (2**64 - 1, "18446744073709551615"),
        (-(2**63), "-9223372036854775808"),
    ],
)
def test_a_number_in_a_list_is_rapidjsons(number: float, text: str) -> None:
    assert shown([number]) == f"[\n    {text}\n]"


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.2, "0.2"),
        (9000000.0, "9e+06"),
        (0.123456789012, "0.123456791"),
        (1e39, "1e+39"),
        (1.23456789e39, "1.23456789e+39"),
        (float("nan"), "NaN"),
        (2**64, "1.84467441e+19"),
    ],
)
def test_a_number_alone_is_a_float_where_it_fits(number: float, text: str) -> None:
    assert shown(number) == text


def test_rapidjson_stops_at_a_number_that_json_does_not_have() -> None:
    assert shown([1, float("nan"), 2]) == "[\n    1,\n    "
    assert shown({"a": float("inf")}) == '{\n    "a": '


def test_lists_and_objects_have_one_element_a_line() -> None:
    value = {"a": [], "b": {}, "c": [None, True, "x\n\x1f/"]}

    assert shown(value) == (
        '{\n    "a": [],\n    "b": {},\n    "c": [\n        null,\n        true,\n'
        '        "x\\n\\u001F/"\n    ]\n}'
    )


@pytest.mark.parametrize(
    "value", [[1] * 10**6, [["a" * 10**6] * 9], {"a": {str(i): [[i]] for i in range(9999)}}]
)
def test_a_large_value_is_cut(value: Any) -> None:
    text = shown(value)

    assert len(text) == 4001
    assert text.endswith("…")


def test_a_deep_value_is_cut() -> None:
    value: Any = 1
    for _ in range(900):
        value = [value]

    assert shown(value).endswith("…")


def test_strings_are_read_back_as_they_were() -> None:
    text = "".join(map(chr, range(0x300))) + "\U0001f600"

    assert json.loads(quoted(text)) == text
    assert parse(b'{"a": ' + quoted(text).encode() + b"}") == {"a": text}
