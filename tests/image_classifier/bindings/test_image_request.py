import base64
import json
import time

import pytest

from image_classifier.bindings.image_request import ImageRequest, read_image_request
from image_classifier.errors import InvalidRequest
from tests.support.builders import colour_image, multipart, request

PNG = colour_image()


def test_img_in_the_query_is_a_url() -> None:
    assert read_image_request(request(params={"img": "http://h/a.png"})) == ImageRequest(
        "http://h/a.png", None, None, None
    )


@pytest.mark.parametrize(
    "content_type",
    [
        "image/png",
        "image/jpeg",
        "application/octet-stream",
        "application/x-www-form-urlencoded",  # what curl --data-binary says
        "",
    ],
)
def test_the_body_is_the_image_whatever_its_type_says(content_type: str) -> None:
    asked = read_image_request(request("POST", headers={"content-type": content_type}, body=PNG))

    assert (asked.url, asked.data) == (None, PNG)


def test_a_form_with_one_file_is_the_image() -> None:
    content_type, body = multipart(("image", PNG))
    asked = read_image_request(request("POST", headers={"content-type": content_type}, body=body))

    assert asked.data == PNG


def test_json_with_a_url() -> None:
    body = json.dumps({"img": "http://h/a.png"}).encode()
    headers = {"content-type": "application/json; charset=utf-8"}

    assert read_image_request(request("POST", headers=headers, body=body)).url == "http://h/a.png"


@pytest.mark.parametrize("prefix", ["", "data:image/png;base64,"])
def test_json_with_base64(prefix: str) -> None:
    text = prefix + base64.b64encode(PNG).decode()
    body = json.dumps({"image": text}).encode()
    asked = read_image_request(
        request("POST", headers={"content-type": "application/json"}, body=body)
    )

    assert asked.data == PNG


def test_model_and_version_are_read() -> None:
    asked = read_image_request(request(params={"img": "u", "model": "cats", "version": "0"}))

    assert (asked.model, asked.version) == ("cats", 0)
    longest = read_image_request(request(params={"img": "u", "version": "9" * 18}))
    assert longest.version == 10**18 - 1


@pytest.mark.parametrize("version", ["latest", "-1", "1.0", "1e3", "٣", " ", "9" * 19, "9" * 40])
def test_a_version_that_is_no_number_is_named(version: str) -> None:
    with pytest.raises(InvalidRequest, match="not a whole number"):
        read_image_request(request(params={"img": "u", "version": version}))


def test_no_image_lists_the_ways_in() -> None:
    with pytest.raises(InvalidRequest, match=r"no image.*\?img=URL.*multipart.*base64"):
        read_image_request(request())


def test_two_images_are_one_too_many() -> None:
    with pytest.raises(InvalidRequest, match="one image, not two"):
        read_image_request(request("POST", params={"img": "u"}, body=PNG))


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"\xff\xfe",
        b"[]",
        b"null",
        b'"http://h/a.png"',
        b"{}",
        b'{"img": ""}',
        b'{"img": 5}',
        b'{"image": null}',
        b'{"image": "%%%"}',
        b'{"image": "abc"}',
        b'{"image": "\\ud800"}',
        b'{"img": "u", "image": "aGk="}',
        b"[" * 100_000,
    ],
)
def test_json_that_is_off_is_400_in_words(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        read_image_request(request("POST", headers={"content-type": "application/json"}, body=body))


@pytest.mark.parametrize("count", [0, 2])
def test_a_form_without_exactly_one_file_is_refused(count: int) -> None:
    content_type, body = multipart(*[(f"f{i}", PNG) for i in range(count)])

    with pytest.raises(InvalidRequest, match=f"has {count} files; send exactly one"):
        read_image_request(request("POST", headers={"content-type": content_type}, body=body))


@pytest.mark.parametrize(
    "content_type",
    ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=x"],
)
def test_a_broken_form_is_refused(content_type: str) -> None:
    with pytest.raises(InvalidRequest):
        read_image_request(
            request("POST", headers={"content-type": content_type}, body=b"no parts here")
        )


def test_a_form_of_half_a_million_parts_is_refused_at_once() -> None:
    part = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n'
    headers = {"content-type": "multipart/form-data; boundary=b"}
    req = request("POST", headers=headers, body=part * 400_000 + b"--b--\r\n")

    started = time.process_time()
    with pytest.raises(InvalidRequest, match="more than 100 parts"):
        read_image_request(req)
    assert time.process_time() - started < 2


@pytest.mark.parametrize("value", [b"{},", b"[],", b"0,", b'{"a":'])
def test_json_of_millions_of_values_is_refused_before_they_are_in_memory(value: bytes) -> None:
    body = b'{"image": "", "more": [' + value * (20_000_000 // len(value)) + b"0]}"
    req = request("POST", headers={"content-type": "application/json"}, body=body)

    started = time.process_time()
    with pytest.raises(InvalidRequest, match="more in it than one image"):
        read_image_request(req)
    assert time.process_time() - started < 1
