"""Microsoft's own Python runtime loads every function folder and calls the functions.

The runtime needs Python 3.13 and an environment of its own (its wheel brings a package `tests`), so
this drives `../shared/tools/conformance.py` there, in a process of its own.
"""

from __future__ import annotations

import base64
import io
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from PIL import Image

from tests.support.app_tree import ROOT, function_folders
from tests.support.fetch_servers import Server, http, ok
from tools.bootstrap.testing import CONFORMANCE_VERSION, conformance_python

DRIVER = ROOT.parent / "shared" / "tools" / "conformance.py"
SAMPLES = ROOT / "frontend" / "samples"
TIMEOUT_SECONDS = 300
PREDICTION_URL = (
    "http://localhost:7071/customvision/v3.1/prediction/6ad1d8e4-27de-4e47-8bf1-1c3b0b3f4a11"
    "/classify/iterations/digits/url/nostore"
)

POST_JSON = {
    "url": "http://localhost:7071/api/classify",
    "method": "POST",
    "headers": {"Content-Type": "application/json"},
}


class Sample(NamedTuple):
    file: Path
    label: str


def a_sample() -> Sample:
    first = json.loads((SAMPLES / "samples.json").read_text("utf-8"))[0]
    return Sample(SAMPLES / first["file"], first["label"])


@pytest.fixture(scope="module")
def runtime_python() -> Path:
    if not DRIVER.is_file():
        pytest.skip("../shared/tools/conformance.py is not beside this checkout")
    python = conformance_python()
    if python is None:
        pytest.skip(f"no Python {CONFORMANCE_VERSION}, which Microsoft's runtime needs")
    return python


class Images(NamedTuple):
    """URLs that the app is sent to: an image, one that is not there, a server that is ill."""

    there: str
    gone: str
    ill: str


@pytest.fixture(scope="module")
def images() -> Iterator[Images]:
    with (
        Server(ok(a_sample().file.read_bytes())) as there,
        Server(http("404 Not Found")) as gone,
        Server(http("503 Service Unavailable")) as ill,
    ):
        yield Images(there.url, gone.url, ill.url)


def posted_image() -> str:
    """In base64, small: the driver takes the body as an argument, limited to 128 KB."""
    small = io.BytesIO()
    with Image.open(a_sample().file) as image:
        image.thumbnail((280, 280))
        image.convert("RGB").save(small, "JPEG", quality=90)
    return base64.b64encode(small.getvalue()).decode()


def cases(images: Images) -> list[tuple[str, dict[str, Any]]]:
    """What is asked of which function, in this order."""
    image = posted_image()
    post = POST_JSON
    return [
        ("classify", {**post, "body": json.dumps({"image": image}), "expect": {"status": 200}}),
        ("classify", {**post, "expect": {"status": 400}}),
        ("classify", {"method": "OPTIONS", "expect": {"status": 204}}),
        ("status", {"expect": {"status": 200}}),
        ("negotiate", {"method": "POST", "expect": {"status": 200}}),
        (
            "tf_serving",
            {
                "url": "http://localhost:7071/v1/models/digits:predict",
                "method": "POST",
                "body": json.dumps({"signature_name": "bytes", "instances": [{"b64": image}]}),
                "expect": {"status": 200},
            },
        ),
        (
            "tf_serving",
            {
                "url": "http://localhost:7071/v1/models/no",
                "method": "GET",
                "expect": {"status": 404},
            },
        ),
        (
            "custom_vision",
            {
                "url": PREDICTION_URL,
                "method": "POST",
                "headers": {"Content-Type": "application/json"},
                "body": json.dumps({"Url": images.there}),
                "expect": {"status": 200},
            },
        ),
        ("custom_vision", {"method": "POST", "expect": {"status": 404}}),
        (
            "custom_vision_container",
            {
                "url": "http://localhost:7071/url",
                "method": "POST",
                "headers": {"Content-Type": "application/json"},
                "params": {"kind": "url"},
                "body": json.dumps({"url": images.there}),
                "expect": {"status": 200},
            },
        ),
        ("classify_queue", {"body": json.dumps({"id": "run-7", "url": images.there})}),
        ("classify_queue", {"body": images.gone, "dequeue": 3}),
        ("classify_queue", {"body": images.ill, "expect": {"exception": True}}),
    ]


def drive(
    python: Path, asked: list[tuple[str, dict[str, Any]]], *more: str
) -> list[dict[str, Any]]:
    """What the driver says: one line for each load and each call.

    Args:
        python: the interpreter that has Microsoft's runtime.
        asked: function -> a case, in this order.
        more: app settings, NAME=VALUE.
    """
    # The demo model whatever the developer's own settings and models are.
    command = [str(python), str(DRIVER), str(ROOT), "--json"]
    for setting in (
        "MODELS_DIR=models",
        "DEFAULT_MODEL=digits",
        "API_KEYS=",
        "FETCH_ALLOW_PRIVATE_ADDRESSES=true",
        *more,
    ):
        command += ["--set", setting]
    for function, case in asked:
        command += ["--case", f"{function}:{json.dumps(case)}"]
    environment = {**os.environ, "AZURE_FUNCTIONS_ENVIRONMENT": "Development"}
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=TIMEOUT_SECONDS
    )
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]

    assert lines, done.stderr
    assert [line for line in lines if not line["ok"]] == [], done.stderr
    assert done.returncode == 0, done.stderr
    return lines


@pytest.fixture(scope="module")
def report(runtime_python: Path, images: Images) -> list[dict[str, Any]]:
    return drive(runtime_python, cases(images), "ENGINE=auto")


def calls(report: list[dict[str, Any]], function: str) -> list[dict[str, Any]]:
    return [line["answer"] for line in report if line["what"] == f"call {function}"]


def answers(report: list[dict[str, Any]], function: str) -> list[dict[str, Any]]:
    return [call["return"] for call in calls(report, function)]


def test_every_function_loads(report: list[dict[str, Any]]) -> None:
    loaded = {line["what"] for line in report if line["what"].startswith("load ")}

    assert loaded == {f"load {folder.name}" for folder in function_folders()}


def test_posted_image_gets_its_tag(report: list[dict[str, Any]]) -> None:
    answer = answers(report, "classify")[0]

    assert answer["status"] == 200
    assert json.loads(answer["body"])["predictedTagName"] == a_sample().label


def test_missing_image_is_400(report: list[dict[str, Any]]) -> None:
    answer = answers(report, "classify")[1]

    assert answer["status"] == 400
    assert json.loads(answer["body"])["error"]["code"] == "InvalidRequest"


def test_preflight_is_answered(report: list[dict[str, Any]]) -> None:
    answer = answers(report, "classify")[2]

    headers = {name.lower(): value for name, value in answer["headers"].items()}
    assert answer["status"] == 204
    assert headers["access-control-allow-origin"] == "*"


def test_status_says_ready(report: list[dict[str, Any]]) -> None:
    (answer,) = answers(report, "status")

    assert answer["status"] == 200
    assert json.loads(answer["body"])["status"] == "ready"


def test_tensorflow_servings_clients_get_its_answers(report: list[dict[str, Any]]) -> None:
    predicted, missing = answers(report, "tf_serving")

    assert json.loads(predicted["body"]) == {"predictions": [a_sample().label]}
    assert json.loads(missing["body"]) == {"error": "Could not find any versions of model no"}


def test_custom_visions_clients_get_its_answers(report: list[dict[str, Any]]) -> None:
    predicted, missing = answers(report, "custom_vision")

    assert json.loads(predicted["body"])["predictions"][0]["tagName"] == a_sample().label
    assert json.loads(missing["body"])["code"] == "NotFound"


def test_the_exported_containers_callers_get_its_answer(report: list[dict[str, Any]]) -> None:
    (answer,) = answers(report, "custom_vision_container")
    tags = json.loads(answer["body"])["predictions"]

    assert max(tags, key=lambda tag: tag["probability"])["tagName"] == a_sample().label


def test_signalr_client_gets_where_to_connect(report: list[dict[str, Any]]) -> None:
    (answer,) = answers(report, "negotiate")
    body = json.loads(answer["body"])

    assert sorted(body) == ["accessToken", "url"]
    assert body["url"].endswith("/client/?hub=imageclassification")
    headers = {name.lower(): value for name, value in answer["headers"].items()}
    assert headers["content-type"].startswith("application/json")


def test_queued_image_becomes_a_result(report: list[dict[str, Any]], images: Images) -> None:
    outputs = calls(report, "classify_queue")[0]["outputs"]
    message = json.loads(outputs["signalr"]["value"])
    (result,) = message["arguments"]

    assert message["target"] == "newResult"
    assert (result["id"], result["url"]) == ("run-7", images.there)
    assert result["predictedTagName"] == a_sample().label
    assert not outputs.get("failed", {}).get("value")


def test_queued_image_that_is_gone_goes_to_the_failed_ones(report: list[dict[str, Any]]) -> None:
    outputs = calls(report, "classify_queue")[1]["outputs"]
    failure = json.loads(outputs["failed"]["value"])

    assert json.loads(outputs["signalr"]["value"]) == {
        "target": "newFailure",
        "arguments": [failure],
    }
    assert (failure["error"]["code"], failure["dequeueCount"]) == ("FetchFailed", 3)
    assert "404" in failure["error"]["message"]


def test_queued_image_whose_server_is_ill_is_left_to_the_host(report: list[dict[str, Any]]) -> None:
    assert "503" in calls(report, "classify_queue")[2]["exception"]


def test_tensorflow_runs_a_frozen_graph_in_microsofts_runtime(runtime_python: Path) -> None:
    """The main case of the product: a model.pb, with the protobuf that TensorFlow wants."""
    image = {**POST_JSON, "body": json.dumps({"image": posted_image()})}
    asked: list[tuple[str, dict[str, Any]]] = [
        ("status", {"expect": {"status": 200}}),
        ("classify", {**image, "expect": {"status": 200}}),
    ]
    lines = drive(runtime_python, asked, "ENGINE=tensorflow")
    (status,), (answer,) = answers(lines, "status"), answers(lines, "classify")
    engines = {each["name"]: each for each in json.loads(status["body"])["engines"]}

    assert {name.lower(): text for name, text in answer["headers"].items()}[
        "x-engine"
    ] == "tensorflow"
    assert json.loads(answer["body"])["predictedTagName"] == a_sample().label
    assert engines["tensorflow"] == {"name": "tensorflow", "installed": True}
