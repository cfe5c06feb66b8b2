"""Bodies and headers of real services, of gateways, and of things that are neither."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.compare.replies import NoPrediction, error_of, printable, seconds_to_wait, tags_in


def test_the_tags_of_an_answer_are_read_in_their_order() -> None:
    predictions = [
        {"tagId": "e31ff107", "tagName": "Hemlock", "probability": 0.95, "tagType": "Regular"},
        {"tagName": "Ä", "probability": 1},
        {"tagName": "", "probability": 1e-9, "boundingBox": None},
    ]

    assert tags_in(json.dumps({"id": "", "predictions": predictions}).encode()) == {
        "Hemlock": 0.95,
        "Ä": 1.0,
        "": 1e-9,
    }


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "no predictions in the answer: ''"),
        (b"Error processing image", "no predictions in the answer: 'Error processing image'"),
        (b"[]", "no predictions"),
        (b"\xff\xfe", "no predictions"),
        (b'{"predictions": []}', "no predictions"),
        (b'{"predictions": {"a": 1}}', "no predictions"),
        (b"[" * 100_000, "no predictions"),
        (b'{"predictions": [1]}', "without a tag or without a probability: 1"),
        (b'{"predictions": [{"tagName": "a"}]}', "without a probability"),
        (b'{"predictions": [{"tagName": null, "probability": 1}]}', "without a tag"),
        (b'{"predictions": [{"tagName": "a", "probability": "1"}]}', "without a probability"),
        (b'{"predictions": [{"tagName": "a", "probability": true}]}', "without a probability"),
        (b'{"predictions": [{"tagName": "a", "probability": NaN}]}', "without a probability"),
        (b'{"predictions": [{"tagName": "a", "probability": 1.5}]}', "without a probability"),
        (
            b'{"predictions": [{"tagName": "a", "probability": 1}, '
            b'{"tagName": "a", "probability": 0}]}',
            "the tag 'a' is there twice",
        ),
    ],
)
def test_what_is_no_prediction_is_said(body: bytes, words: str) -> None:
    with pytest.raises(NoPrediction) as error:
        tags_in(body)

    assert words in str(error.value)


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ('{"code": "NotFoundProject", "message": "No."}', "NotFoundProject", "No."),
        ('{"error": {"code": "401", "message": "Denied."}}', "401", "Denied."),
        (
            '{"code": "Forbidden", "message": "Own.", "error": {"code": "401", "message": "x"}}',
            "Forbidden",
            "Own.",
        ),
        (
            '{"statusCode": 429, "message": "Rate limit is exceeded."}',
            "",
            "Rate limit is exceeded.",
        ),
        ('{"error": "Servable not found"}', "", "Servable not found"),
        ('{"other": 1}', "", '{"other": 1}'),
        ("<html><style>b {}</style><h1>502</h1>\n<p>Bad Gateway", "", "502 Bad Gateway"),
        ("", "", ""),
    ],
)
def test_an_error_is_read_in_every_shape(body: str, code: str, message: str) -> None:
    assert error_of(body.encode()) == (code, message)


def _nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    names = st.sampled_from(["predictions", "tagName", "error", "code", "message", "other"])
    return st.lists(inner) | st.dictionaries(names, inner)


@pytest.mark.slow
@given(st.binary() | st.recursive(st.none() | st.text() | st.booleans(), _nested).map(json.dumps))
def test_no_body_breaks_the_readers(body: bytes | str) -> None:
    data = body if isinstance(body, bytes) else body.encode()
    code, message = error_of(data)

    assert (code + message).isprintable()
    with pytest.raises(NoPrediction):
        tags_in(data)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("7", 7.0), ("0", 0.0), ("-3", 0.0), ("1.5", 1.5), ("soon", None), ("", None), ("inf", None)],
)
def test_retry_after_is_read_as_seconds(value: str, seconds: float | None) -> None:
    assert seconds_to_wait({"Retry-After": value}) == seconds


def test_retry_after_is_read_as_a_date() -> None:
    later, earlier = (datetime.now(UTC) + timedelta(seconds=each) for each in (100, -100))
    wait = seconds_to_wait({"Retry-After": format_datetime(later, usegmt=True)})

    assert wait is not None and 90 < wait <= 100
    assert seconds_to_wait({"Retry-After": format_datetime(earlier, usegmt=True)}) == 0
    assert seconds_to_wait({}) is None


def test_words_from_elsewhere_become_one_harmless_line() -> None:
    assert printable(" a\r\n\tb ") == "a b"
    assert "\x1b" not in printable("\x1b[31mred\x07")
    assert printable("\udcff") == "\ufffd"
    assert printable("abcdef", 4) == "abc…"
