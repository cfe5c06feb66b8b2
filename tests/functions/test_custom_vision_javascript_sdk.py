"""Microsoft's own JavaScript SDK against the app over real sockets; only the endpoint is set."""

from __future__ import annotations

import base64
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.builders import colour_image
from tests.support.custom_vision_app import KEY, PROJECT, published_app
from tests.support.custom_vision_client.node_client import NodeClient
from tests.support.servers import LocalHost


def buffer(data: bytes) -> dict[str, str]:
    return {"buffer": base64.b64encode(data).decode()}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, colours_onnx: bytes) -> Iterator[LocalHost]:
    with published_app(tmp_path_factory.mktemp("models"), colours_onnx) as running:
        yield running


@pytest.fixture(scope="module")
def sdk(app: LocalHost) -> Iterator[NodeClient]:
    with NodeClient(app.url, KEY, PROJECT, "Iteration1") as client:
        yield client


@pytest.mark.parametrize("method", ["classifyImage", "classifyImageWithNoStore"])
@pytest.mark.parametrize("way", ["buffer", "file"])
def test_an_image_is_classified_however_it_is_handed_over(
    sdk: NodeClient, tmp_path: Path, method: str, way: str
) -> None:
    data = colour_image("blue", kind="JPEG")
    path = tmp_path / "blue.jpg"
    path.write_bytes(data)
    given = buffer(data) if way == "buffer" else {"file": str(path)}
    answer = sdk.answer(method, given, name="my model")

    assert list(answer) == ["id", "project", "iteration", "created", "predictions"]
    assert answer["project"] == PROJECT
    assert uuid.UUID(answer["iteration"]) and uuid.UUID(answer["id"])
    first, *others = answer["predictions"]
    assert (first["tagName"], first["tagType"]) == ("Bleu", "Regular")
    assert {each["tagName"]: each["tagType"] for each in others} == {
        "Negative": "Negative",
        "Rouge": "Regular",
    }
    probabilities = [each["probability"] for each in answer["predictions"]]
    assert probabilities == sorted(probabilities, reverse=True)
    assert len({uuid.UUID(each["tagId"]) for each in answer["predictions"]}) == 3


@pytest.mark.parametrize("method", ["classifyImageUrl", "classifyImageUrlWithNoStore"])
def test_a_url_is_classified(sdk: NodeClient, app: LocalHost, method: str) -> None:
    answer = sdk.answer(method, {"url": f"{app.url}/samples/seven.png"}, application="my app")

    assert {each["tagName"] for each in answer["predictions"]} == {"Blue", "Green", "Red"}


@pytest.mark.parametrize("end", ["", "/"])
def test_the_endpoint_may_end_in_a_slash(sdk: NodeClient, app: LocalHost, end: str) -> None:
    assert sdk.answer("classifyImage", buffer(colour_image()), endpoint=app.url + end)[
        "predictions"
    ]


def test_the_time_of_the_answer_is_now_in_every_time_zone(sdk: NodeClient) -> None:
    """A time without a zone would be Tokyo's to this Node process."""
    result = sdk.call("classifyImage", buffer(colour_image()))

    assert result["created"] / 1000 == pytest.approx(time.time(), abs=600)


def test_the_raw_answer_tells_which_model_it_was(sdk: NodeClient) -> None:
    result = sdk.call("classifyImage", buffer(colour_image("green")))

    assert (result["status"], result["headers"]["x-model"]) == (200, "colours/1")
    assert result["answer"]["predictions"][0]["tagName"] == "Green"


def test_ids_of_iteration_and_tags_are_the_same_in_every_answer(sdk: NodeClient) -> None:
    first, second = (
        sdk.answer("classifyImage", buffer(colour_image(colour))) for colour in ("red", "blue")
    )

    assert first["iteration"] == second["iteration"]
    assert first["id"] != second["id"]
    tags = [
        {each["tagName"]: each["tagId"] for each in one["predictions"]} for one in (first, second)
    ]
    assert tags[0] == tags[1]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"this is no picture", "BadRequestImageFormat"),
        (b"", "BadRequestImageStream"),
        (b"x" * 300_001, "BadRequestImageSizeBytes"),
    ],
)
def test_a_bad_image_raises_the_sdks_own_error(sdk: NodeClient, data: bytes, code: str) -> None:
    error = sdk.error("classifyImage", buffer(data))

    assert (error["statusCode"], error["code"]) == (400, code)
    assert error["body"] == {"code": code, "message": error["message"]}
    assert len(error["message"]) > 20


def test_a_stream_of_unknown_length_is_refused(sdk: NodeClient, tmp_path: Path) -> None:
    """The SDK sends it in chunks, and of those the Functions host hands on nothing."""
    path = tmp_path / "red.png"
    path.write_bytes(colour_image())
    error = sdk.error("classifyImage", {"chunks": str(path)})

    assert (error["statusCode"], error["code"]) == (400, "BadRequestImageStream")


def test_a_url_that_gives_nothing_raises_it_too(sdk: NodeClient, app: LocalHost) -> None:
    error = sdk.error("classifyImageUrl", {"url": f"{app.url}/nothing.png"})

    assert (error["statusCode"], error["code"]) == (400, "BadRequestImageUrl")
    assert "404" in error["message"]


@pytest.mark.parametrize("key", ["wrong", ""])
def test_a_wrong_key_is_told_as_the_service_tells_it(sdk: NodeClient, key: str) -> None:
    error = sdk.error("classifyImage", buffer(colour_image()), key=key)

    # The gateway's code and words, as this SDK looks into "error" first.
    assert (error["statusCode"], error["code"]) == (401, "401")
    assert error["message"].startswith("Access denied due to invalid subscription key")
    assert error["body"]["code"] == "Forbidden"
    assert error["body"]["message"] == error["message"]


def test_unknown_project_and_iteration_have_the_services_codes(sdk: NodeClient) -> None:
    iteration = sdk.error("classifyImage", buffer(colour_image()), name="Iteration2")
    project = sdk.error("classifyImage", buffer(colour_image()), project=str(uuid.uuid4()))

    assert (iteration["statusCode"], iteration["code"]) == (404, "NotFoundIteration")
    assert iteration["message"].startswith("Invalid iteration")
    assert (project["statusCode"], project["code"]) == (404, "NotFoundProject")


@pytest.mark.parametrize("method", ["detectImage", "detectImageWithNoStore"])
def test_detection_is_refused_in_words(sdk: NodeClient, method: str) -> None:
    error = sdk.error(method, buffer(colour_image()))

    assert (error["statusCode"], error["code"]) == (400, "BadRequestNotSupported")
    assert "no object detection" in error["message"]
