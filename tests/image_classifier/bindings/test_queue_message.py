import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image_classifier.bindings.queue_message import QueuedImage, read_message
from tests.support.builders import queue_message

URL = "https://example.com/cat.png?sig=a%2Fb"
LARGEST = 48 * 1024  # bytes that a message in base64 holds


def read(body: bytes | str | dict[str, Any]) -> QueuedImage:
    return read_message(queue_message(json.dumps(body) if isinstance(body, dict) else body))


def problem(body: bytes | str | dict[str, Any]) -> str:
    asked = read(body)
    assert asked.problem, "it should not be accepted"
    return asked.problem


@pytest.mark.parametrize("body", [URL, f"{URL}\r\n", f"  {URL}", f"\ufeff{URL}"])
def test_a_plain_url_gets_the_queues_own_id(body: str) -> None:
    asked = read(body)

    assert (asked.id, asked.url, asked.problem) == ("queue-id", URL, None)
    assert (asked.model, asked.version) == (None, None)


def test_json_says_all() -> None:
    asked = read({"id": "run-7", "url": URL, "model": "cats", "version": 3, "more": [1]})

    assert asked.problem is None
    assert (asked.id, asked.url, asked.model, asked.version) == ("run-7", URL, "cats", 3)


@pytest.mark.parametrize("nothing", [{}, {"id": None, "model": None, "version": None}, {"id": ""}])
def test_what_json_leaves_out_has_a_default(nothing: dict[str, Any]) -> None:
    asked = read({"url": URL} | nothing)

    assert asked.problem is None
    assert (asked.id, asked.model, asked.version) == ("queue-id", None, None)


def test_an_id_may_be_a_number_and_a_version_0() -> None:
    asked = read({"id": 7, "url": URL, "version": 0})

    assert (asked.id, asked.version, asked.problem) == ("7", 0, None)


@pytest.mark.parametrize("body", ["", " \n", b"", "\ufeff"])
def test_an_empty_message_is_named(body: bytes | str) -> None:
    assert problem(body).startswith("The message is empty. A message is the URL of an image")


@pytest.mark.parametrize("body", ["x" * LARGEST, "https://h/" + "a" * 8192, "http://h/\0", "a\nb"])
def test_text_that_cannot_be_a_url_is_named(body: str) -> None:
    assert problem(body).startswith("The message is not a URL.")
    assert read(body).url is None


@pytest.mark.parametrize("body", [b"\xff\xfe\x00", "Grüße".encode("latin-1"), bytes(range(256))])
def test_bytes_that_are_not_utf_8_are_named(body: bytes) -> None:
    assert problem(body).startswith("The message is not UTF-8 text.")


@pytest.mark.parametrize(
    "body", ["{", "{'url': 'h'}", '{"url": "h"} {}', '{"a":' * 5000, '{"id": ' + "9" * 5000 + "}"]
)
def test_broken_json_is_named(body: str) -> None:
    assert problem(body).startswith("The message starts as JSON does, and is not valid JSON.")


@pytest.mark.parametrize("body", [{}, {"img": URL}, {"url": None}, {"url": ""}, {"URL": URL}])
def test_json_without_a_url_is_named(body: dict[str, Any]) -> None:
    assert problem(body).startswith('The JSON has no "url".')


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("id", [True, 1.5, -1, [], {}, "x" * 201, "a\nb", "\ud800", 10**18]),
        ("url", [5, True, [URL], {"href": URL}, "h" * 8193, "http://h/\ud800", "http://h/\n"]),
        ("model", [5, False, ["cats"], "x" * 201, "a\x1b[31mb"]),
        ("version", ["1", True, -1, 1.0, [1], 10**18]),
    ],
)
def test_a_field_of_an_odd_shape_is_named(field: str, values: list[Any]) -> None:
    for value in values:
        asked = read({"id": "run-7", "url": URL} | {field: value})

        assert asked.problem and asked.problem.startswith(f'"{field}" must be '), value
        assert asked.id == ("queue-id" if field == "id" else "run-7")
        assert asked.url == (None if field == "url" else URL)


def test_every_odd_field_is_named_at_once() -> None:
    assert '"id" must be' in problem({"id": [], "url": 1}) and '"url" must be' in problem(
        {"id": [], "url": 1}
    )


@given(
    st.one_of(
        st.binary(max_size=200),
        st.text(max_size=200),
        st.dictionaries(
            st.sampled_from(["id", "url", "model", "version", "x"]),
            st.recursive(
                st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
                lambda inner: (
                    st.lists(inner, max_size=3)
                    | st.dictionaries(st.text(max_size=3), inner, max_size=3)
                ),
                max_leaves=5,
            ),
        ),
    )
)
def test_no_message_is_too_odd_to_be_accounted_for(body: bytes | str | dict[str, Any]) -> None:
    asked = read(body)

    assert asked.id and asked.id.isprintable()
    assert asked.problem or asked.url
    assert json.dumps(vars(asked), ensure_ascii=False).encode()
