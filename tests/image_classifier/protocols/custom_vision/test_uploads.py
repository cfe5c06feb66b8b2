"""Bodies as the SDKs, curl and browsers send them."""

from __future__ import annotations

import pytest

from image_classifier.errors import InvalidRequest
from image_classifier.protocols.custom_vision.uploads import image_in, url_in
from tests.support.builders import colour_image, multipart

PNG = colour_image()
FORM = "multipart/form-data; boundary=b"
JSON = "application/json; charset=utf-8"
URL = "https://example.com/a cat.png?x=1&y=ü"


def part(head: str, content: bytes) -> bytes:
    return f"--b\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode() + content + b"\r\n"


@pytest.mark.parametrize(
    "content_type",
    ["application/octet-stream", "image/png", "", "application/x-www-form-urlencoded"],
)
def test_the_body_is_the_image_whatever_its_type_says(content_type: str) -> None:
    assert image_in(content_type, PNG) == PNG


@pytest.mark.parametrize(
    "head",
    [
        'name="imageData"',
        'name="imageData"\r\nContent-Type: application/octet-stream',
        'name="imageData"; filename="x.jpg"\r\nContent-Type: application/octet-stream',
        'name="imagedata"; filename=""\r\nContent-Type: text/plain',
    ],
)
def test_the_field_of_a_form_is_the_image_in_all_shapes(head: str) -> None:
    other = part('name="application"', b"my app")

    assert image_in(FORM, other + part(head, PNG) + b"--b--\r\n") == PNG


def test_the_only_file_of_a_form_is_the_image_whatever_its_name() -> None:
    assert image_in(*multipart(("image", PNG))) == PNG


@pytest.mark.parametrize(
    "body",
    [
        part('name="other"', PNG) + b"--b--",
        part('name="a"; filename="a"', PNG) + part('name="b"; filename="b"', PNG) + b"--b--",
        part('name="imageData"', PNG) * 2 + b"--b--",
    ],
)
def test_a_form_without_exactly_one_image_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest, match=r"has \d images; send exactly one.*imageData"):
        image_in(FORM, body)


def test_json_sent_as_an_image_is_told_where_it_belongs() -> None:
    with pytest.raises(InvalidRequest, match="/url instead of"):
        image_in("application/json", b' {"url": "https://example.com/"}')


def test_nothing_sent_is_told_how_to_send() -> None:
    with pytest.raises(InvalidRequest, match="octet-stream.*imageData"):
        image_in("", b"")


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (JSON, f'{{"url": "{URL}"}}'.encode()),
        (JSON, f'{{"Url": "{URL}"}}'.encode()),
        (JSON, f'\ufeff {{"application": "x", "URL": " {URL} "}}'.encode()),
        ("", f'{{"url": "{URL}"}}'.encode()),
        ("application/x-www-form-urlencoded", f'{{"Url": "{URL}"}}'.encode()),
        (
            "application/x-www-form-urlencoded",
            b"Url=https%3A%2F%2Fexample.com%2Fa+cat.png%3Fx%3D1%26y%3D%C3%BC",
        ),
        (FORM, part('name="url"', URL.encode()) + b"--b--"),
    ],
)
def test_a_url_is_found_in_json_and_in_forms(content_type: str, body: bytes) -> None:
    assert url_in(content_type, body) == URL


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (JSON, b""),
        (JSON, b"null"),
        (JSON, b"{}"),
        (JSON, b'{"url": null}'),
        (JSON, b'{"url": ["https://example.com/"]}'),
        (JSON, b'{"url": " "}'),
        (JSON, b'{"url": "a", "Url": "b"}'),
        (JSON, b'{"url": "https://example.com/"'),
        (JSON, b"[" * 60_000),
        (JSON, b'{"url": ' + b"[" * 60_000),
        ("application/x-www-form-urlencoded", b"img=https%3A%2F%2Fexample.com"),
        (FORM, part('name="img"', b"x") + b"--b--"),
        ("text/plain", b"https://example.com/"),
        ("text/plain", b"&=" * 30_000),
        (JSON, PNG),
    ],
)
def test_no_url_is_told_how_to_send_one(content_type: str, body: bytes) -> None:
    with pytest.raises(InvalidRequest, match="example.com/cat.png"):
        url_in(content_type, body)


def test_what_is_too_long_to_be_a_url_is_not_read() -> None:
    with pytest.raises(InvalidRequest, match="more than 65536"):
        url_in(JSON, b'{"a": ' + b"[" * 100_000)
