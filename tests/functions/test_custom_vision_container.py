"""The exported container's two routes over real HTTP: its answer, and none of its faults."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.support.builders import colour_image, model_folder, multipart
from tests.support.servers import LocalHost

SAMPLE = "/samples/seven.png"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, colours_onnx: bytes) -> Iterator[LocalHost]:
    models = tmp_path_factory.mktemp("models")
    model_folder(models, "digits", 1, onnx=colours_onnx)
    model_folder(models, "other", 1, onnx=colours_onnx, labels="Bleu\nVert\nRouge")
    env = {"MODELS_DIR": str(models), "FETCH_ALLOW_PRIVATE_ADDRESSES": "true"}
    with LocalHost(env=env) as running:
        yield running


def send(
    app: LocalHost, route: str, body: bytes, kind: str = "", **options: object
) -> requests.Response:
    headers = {"Content-Type": kind} if kind else {}
    return requests.post(app.url + route, data=body, headers=headers, timeout=60, **options)  # type: ignore[arg-type]


def test_the_answer_is_the_containers_key_for_key(app: LocalHost) -> None:
    response = send(app, "/image", colour_image("green"), "application/octet-stream")
    body = response.json()

    assert list(body) == ["id", "project", "iteration", "created", "predictions"]
    assert (body["id"], body["project"], body["iteration"]) == ("", "", "")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}", body["created"])
    # In the order of the labels; what is not above 1e-8 is left out.
    assert [list(each) for each in body["predictions"]] == [
        ["tagName", "probability", "tagId", "boundingBox"]
    ] * len(body["predictions"])
    (green,) = (each for each in body["predictions"] if each["probability"] > 0.5)
    assert (green["tagName"], green["tagId"], green["boundingBox"]) == ("Green", "", None)
    assert response.headers["X-Model"] == "digits/1"


@pytest.mark.parametrize("shape", ["file", "field", "raw", "untyped"])
def test_an_image_comes_in_every_way_that_the_container_took(app: LocalHost, shape: str) -> None:
    data = colour_image("red")
    kind, form = multipart(("imageData", data))
    ways = {
        "file": (form, kind),
        "field": (form.replace(b'; filename="f.png"', b""), kind),
        "raw": (data, "application/octet-stream"),
        "untyped": (data, ""),
    }
    tags = {
        each["tagName"]: each["probability"]
        for each in send(app, "/Image", *ways[shape]).json()["predictions"]
    }

    assert max(tags, key=lambda tag: tags[tag]) == "Red"


@pytest.mark.parametrize("key", ["url", "Url"])
def test_a_url_is_fetched(app: LocalHost, key: str) -> None:
    body = json.dumps({key: app.url + SAMPLE}).encode()
    response = send(app, "/url", body, "application/json")

    assert response.status_code == 200
    assert response.headers["Server-Timing"].startswith("fetch;dur=")


def test_model_and_version_can_be_chosen(app: LocalHost) -> None:
    response = send(app, "/image?model=other&version=1", colour_image("blue"))

    assert response.json()["predictions"][0]["tagName"] == "Bleu"


def test_a_path_in_a_text_field_opens_no_file(app: LocalHost, tmp_path: Path) -> None:
    """The trap: an image that is there, and that the container would have classified."""
    trap = tmp_path / "trap.png"
    trap.write_bytes(colour_image("red"))
    kind, form = multipart(("imageData", str(trap).encode()))
    for body in (form, form.replace(b'; filename="f.png"', b"")):
        response = send(app, "/image", body, kind)
        assert response.status_code == 415
        assert response.json()["error"]["code"] == "UnsupportedImage"
    plain = send(app, "/image", f"imageData={trap}".encode(), "application/x-www-form-urlencoded")
    assert plain.status_code == 415


def test_a_file_url_opens_no_file(app: LocalHost, tmp_path: Path) -> None:
    trap = tmp_path / "trap.png"
    trap.write_bytes(colour_image("red"))
    response = send(app, "/url", json.dumps({"url": trap.as_uri()}).encode(), "application/json")

    assert (response.status_code, response.json()["error"]["code"]) == (403, "FetchBlocked")


@pytest.mark.parametrize(
    ("route", "body", "kind", "status", "code"),
    [
        ("/image", b"", "", 400, "InvalidRequest"),
        ("/image", b"no picture", "", 415, "UnsupportedImage"),
        ("/image", b'{"url": "x"}', "application/json", 400, "InvalidRequest"),
        ("/image?version=x", b"x", "", 400, "InvalidRequest"),
        ("/image?model=nothing", b"x", "", 404, "UnknownModel"),
        ("/url", b"{}", "application/json", 400, "InvalidRequest"),
        ("/url", b'{"url": "cat.png"}', "application/json", 400, "InvalidRequest"),
    ],
)
def test_failures_have_a_status_and_say_what_was_wrong(
    app: LocalHost, route: str, body: bytes, kind: str, status: int, code: str
) -> None:
    response = send(app, route, body, kind)

    assert (response.status_code, response.json()["error"]["code"]) == (status, code)


def test_only_post_and_a_preflight_are_answered(app: LocalHost) -> None:
    assert requests.get(f"{app.url}/image", timeout=10).status_code == 404
    preflight = requests.options(f"{app.url}/url", timeout=10)

    assert preflight.status_code == 204
    assert preflight.headers["Access-Control-Allow-Methods"] == "POST, OPTIONS"


def test_with_keys_nobody_is_let_in_without_one(colours_onnx: bytes, tmp_path: Path) -> None:
    model_folder(tmp_path, "digits", 1, onnx=colours_onnx)
    with LocalHost(env={"MODELS_DIR": str(tmp_path), "API_KEYS": "k"}) as closed:
        assert send(closed, "/image", colour_image()).status_code == 401
        headers = {"Prediction-Key": "k"}
        let_in = requests.post(
            f"{closed.url}/image", data=colour_image(), headers=headers, timeout=60
        )
        assert let_in.status_code == 200
