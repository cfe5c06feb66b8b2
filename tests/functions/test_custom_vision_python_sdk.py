"""Microsoft's own Python SDK against the app over real sockets; only the endpoint is set."""

from __future__ import annotations

import io
import json
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.cognitiveservices.vision.customvision.prediction import CustomVisionPredictionClient
from azure.cognitiveservices.vision.customvision.prediction.models import (
    CustomVisionErrorException,
    TagType,
)
from msrest.authentication import ApiKeyCredentials

from tests.support.builders import colour_image
from tests.support.custom_vision_app import KEY, PROJECT, published_app
from tests.support.servers import LocalHost

LARGEST_DIFFERENCE = 1e-4


def sdk(host: LocalHost, key: str = KEY, end: str = "/") -> Any:
    credentials = ApiKeyCredentials(in_headers={"Prediction-key": key})
    client: Any = CustomVisionPredictionClient  # has no types
    return client(f"{host.url}{end}", credentials)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, colours_onnx: bytes) -> Iterator[LocalHost]:
    with published_app(tmp_path_factory.mktemp("models"), colours_onnx) as running:
        yield running


def caught(call: Any, *arguments: Any) -> Any:
    """The exception that the SDK raises."""
    with pytest.raises(CustomVisionErrorException) as error:
        call(*arguments)
    return error.value


@pytest.mark.parametrize("method", ["classify_image", "classify_image_with_no_store"])
@pytest.mark.parametrize("way", ["bytes", "BytesIO", "file"])
def test_an_image_is_classified_however_it_is_handed_over(
    app: LocalHost, tmp_path: Path, method: str, way: str
) -> None:
    data = colour_image("blue", kind="JPEG")
    path = tmp_path / "blue.jpg"
    path.write_bytes(data)
    call = getattr(sdk(app), method)
    with path.open("rb") as file:
        ways: dict[str, Any] = {"bytes": data, "BytesIO": io.BytesIO(data), "file": file}
        answer = call(PROJECT, "my model", ways[way])

    assert [each.tag_name for each in answer.predictions][0] == "Bleu"
    assert answer.project == PROJECT
    assert uuid.UUID(answer.iteration) and uuid.UUID(answer.id)
    assert answer.created.utcoffset().total_seconds() == 0
    assert {each.tag_type for each in answer.predictions} == {TagType.regular, TagType.negative}
    assert all(each.bounding_box is None for each in answer.predictions)


@pytest.mark.parametrize("method", ["classify_image_url", "classify_image_url_with_no_store"])
def test_a_url_is_classified(app: LocalHost, method: str) -> None:
    url = f"{app.url}/samples/seven.png"
    answer = getattr(sdk(app), method)(PROJECT, "Iteration1", url, application="my app")

    assert {each.tag_name for each in answer.predictions} == {"Blue", "Green", "Red"}


@pytest.mark.parametrize("end", ["", "/", "//"])
def test_the_endpoint_may_end_in_slashes(app: LocalHost, end: str) -> None:
    assert sdk(app, end=end).classify_image(PROJECT, "Iteration1", colour_image()).predictions


def test_the_raw_answer_tells_which_model_it_was(app: LocalHost) -> None:
    raw = sdk(app).classify_image(PROJECT, "Iteration1", colour_image("green"), raw=True)

    assert raw.response.headers["X-Model"] == "colours/1"
    assert raw.response.headers["Content-Type"].startswith("application/json")
    assert raw.output.predictions[0].tag_name == "Green"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"this is no picture", "BadRequestImageFormat"),
        (b"", "BadRequestImageStream"),
        (b"x" * 300_001, "BadRequestImageSizeBytes"),
    ],
)
def test_a_bad_image_raises_the_sdks_own_exception(app: LocalHost, data: bytes, code: str) -> None:
    error = caught(sdk(app).classify_image, PROJECT, "Iteration1", data)

    assert (error.response.status_code, error.error.code) == (400, code)
    assert str(error) == error.error.message
    assert len(error.error.message) > 20


def test_a_url_that_gives_nothing_raises_it_too(app: LocalHost) -> None:
    error = caught(sdk(app).classify_image_url, PROJECT, "Iteration1", f"{app.url}/nothing.png")

    assert (error.response.status_code, error.error.code) == (400, "BadRequestImageUrl")
    assert "404" in error.error.message


def test_a_wrong_key_is_told_as_the_service_tells_it(app: LocalHost) -> None:
    for key in ("wrong", ""):
        error = caught(sdk(app, key).classify_image, PROJECT, "Iteration1", colour_image())
        body = error.response.json()

        assert error.response.status_code == 401
        assert body["error"]["code"] == "401"
        assert body["error"]["message"].startswith("Access denied due to invalid subscription key")
        assert error.error.code == "Forbidden"
        assert str(error) == body["error"]["message"]


def test_unknown_project_and_iteration_have_the_services_codes(app: LocalHost) -> None:
    iteration = caught(sdk(app).classify_image, PROJECT, "Iteration2", colour_image())
    project = caught(sdk(app).classify_image, str(uuid.uuid4()), "Iteration1", colour_image())
    no_id = caught(sdk(app).classify_image, "my project", "Iteration1", colour_image())

    assert (iteration.response.status_code, iteration.error.code) == (404, "NotFoundIteration")
    assert str(iteration).startswith("Invalid iteration")
    assert (project.response.status_code, project.error.code) == (404, "NotFoundProject")
    assert (no_id.response.status_code, no_id.error.code) == (400, "BadRequestInvalidIds")


@pytest.mark.parametrize("method", ["detect_image", "detect_image_with_no_store"])
def test_detection_is_refused_in_words(app: LocalHost, method: str) -> None:
    error = caught(getattr(sdk(app), method), PROJECT, "Iteration1", colour_image())

    assert (error.response.status_code, error.error.code) == (400, "BadRequestNotSupported")
    assert "no object detection" in str(error)


def test_one_client_asks_many_times_over_one_connection(app: LocalHost) -> None:
    client = sdk(app)
    client.config.keep_alive = True
    for colour, tag in [("red", "Red"), ("green", "Green"), ("blue", "Blue")] * 5:
        answer = client.classify_image(PROJECT, "Iteration1", colour_image(colour))
        assert answer.predictions[0].tag_name == tag


@pytest.mark.tensorflow
def test_real_exports_answer_as_the_exporter_does(
    fixtures: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Five real exports, every image that the exporter's own script answered for them."""
    models = tmp_path_factory.mktemp("models")
    for export in (fixtures / "custom_vision").iterdir():
        shutil.copytree(export, models / export.name / "1")
    expected = json.loads((fixtures / "expected.json").read_text("utf-8"))["predictions"]
    compared = 0
    with LocalHost(env={"MODELS_DIR": str(models), "DEFAULT_MODEL": next(iter(expected))}) as host:
        client = sdk(host)
        for name, images in expected.items():
            for file, answers in images.items():
                data = (fixtures / "images" / file).read_bytes()
                found = client.classify_image(PROJECT, name, data).predictions
                # The script leaves out what is not above 1e-8, the service nothing.
                for each in found:
                    wanted = answers.get(each.tag_name, 0.0)
                    assert each.probability == pytest.approx(wanted, abs=LARGEST_DIFFERENCE)
                    compared += 1
                assert {each.tag_name for each in found} >= set(answers)

    assert len(expected) == 5
    assert compared > 100
