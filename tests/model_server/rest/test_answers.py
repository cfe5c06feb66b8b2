"""TensorFlow Serving's REST API in both endpoints: golden answers, and the same bytes from each."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests

from tests.support.model_servers import ModelServer
from tests.support.servers import LocalHost

ROOT = Path(__file__).resolve().parents[3]
NINE = base64.b64encode((ROOT / "frontend" / "samples" / "nine.png").read_bytes()).decode()
AVAILABLE = (
    '"state": "AVAILABLE",\n   "status": {\n    "error_code": "OK",\n    "error_message": ""'
)


@pytest.fixture(scope="module")
def function(server: ModelServer, models_root: Path) -> Iterator[str]:
    """The Functions app with the server's models; its address."""
    env = {"MODEL_CONFIG_FILE": str(models_root / "models.config"), "MODELS_DIR": "nowhere"}
    with LocalHost(ROOT, env) as host:
        yield host.url


class Golden(NamedTuple):
    """A request and its answer: body and status."""

    path: str
    body: Any  # None: GET
    status: int
    answer: str


def error(message: str) -> str:
    return json.dumps({"error": message}, ensure_ascii=False, indent=4)


def status(*versions: int) -> str:
    each = [
        f'  {{\n   "version": "{version}",\n   {AVAILABLE}\n   }}\n  }}' for version in versions
    ]
    return '{\n "model_version_status": [\n' + ",\n".join(each) + "\n ]\n}\n"


HALF = "/v1/models/half"
TYPES = "/v1/models/types"

GOLDEN = [
    Golden(HALF, None, 200, status(123, 0)),
    Golden(f"{HALF}/versions/0", None, 200, status(0)),
    Golden(f"{HALF}/labels/stable", None, 200, status(123)),
    Golden("/V1/Models/half", None, 200, status(123, 0)),
    Golden("/v1/models/half%20plus", None, 200, status(123)),
    Golden("/v1/models", None, 400, error("Missing model name in request.")),
    Golden("/v1/models/no", None, 404, error("Could not find any versions of model no")),
    Golden(f"{HALF}/versions/7", None, 404, error("Could not find version 7 of model half")),
    Golden(
        f"{HALF}/versions/99999999999999999999",
        None,
        400,
        error("Failed to convert version: 99999999999999999999 to numeric."),
    ),
    Golden(f"{HALF}/labels/L", None, 400, error("Unrecognized servable version label: L")),
    Golden(f"{HALF}:predict", None, 400, error("Malformed request: GET /v1/models/half:predict")),
    Golden(HALF, {}, 400, error("Malformed request: POST /v1/models/half")),
    Golden(f"{HALF}:nothing", {}, 400, error("Malformed request: POST /v1/models/half:nothing")),
    Golden("/v1/nothing", None, 400, error("Malformed request: GET /v1/nothing")),
    Golden(
        "/v1/models/no/metadata",
        None,
        404,
        error("Servable not found for request: Latest(no)"),
    ),
    Golden(
        f"{HALF}:predict",
        {"instances": [1.0, 2.0, 5.0]},
        200,
        '{\n    "predictions": [2.5, 3.0, 4.5\n    ]\n}',
    ),
    Golden(
        f"{HALF}:predict",
        {"instances": [{"x": [1]}, {"x": [2]}]},
        200,
        '{\n    "predictions": [[2.5], [3.0]\n    ]\n}',
    ),
    Golden(
        f"{HALF}:PREDICT",
        {"inputs": {"x": [[1.0]]}},
        200,
        '{\n    "outputs": [\n        [\n            2.5\n        ]\n    ]\n}',
    ),
    Golden(
        f"{HALF}/versions/0:predict",
        {"instances": [[1.0]]},
        200,
        '{\n    "predictions": [[7.5]\n    ]\n}',
    ),
    Golden(
        f"{HALF}/labels/old:predict",
        {"instances": [[1.0]]},
        200,
        '{\n    "predictions": [[7.5]\n    ]\n}',
    ),
    Golden(
        f"{HALF}:predict",
        {"signature_name": "two_outputs", "instances": [[1.0]]},
        200,
        '{\n    "predictions": [\n        {\n            "label_bytes": [{\n'
        '                    "b64": "Mi41"\n                }],\n            "y": [2.5]\n'
        "        }\n    ]\n}",
    ),
    Golden(
        f"{HALF}:predict",
        {"signature_name": "two_outputs", "inputs": {"x:0": [[1.0]]}},
        200,
        '{\n    "outputs": {\n        "label:0": [\n            [\n                "2.5"\n'
        '            ]\n        ],\n        "y:0": [\n            [\n                2.5\n'
        "            ]\n        ]\n    }\n}",
    ),
    Golden(
        f"{TYPES}:predict",
        {"signature_name": "echo_float32", "instances": [0.2, 1, 9000000, 0.20207857]},
        200,
        '{\n    "predictions": [0.2, 1.0, 9e+06, 0.202078566\n    ]\n}',
    ),
    Golden(
        f"{TYPES}:predict",
        '{"signature_name": "echo_float64", "instances": [NaN, -Infinity, 0.1]} trailing',
        200,
        '{\n    "predictions": [NaN, -Infinity, 0.1\n    ]\n}',
    ),
    Golden(
        f"{TYPES}:predict",
        {"signature_name": "echo_string", "inputs": ["ü", {"b64": "YQ=="}]},
        200,
        '{\n    "outputs": [\n        "ü",\n        "a"\n    ]\n}',
    ),
    Golden(
        f"{TYPES}:predict",
        {"signature_name": "two_inputs", "instances": [{"a": 1, "text": "t"}]},
        200,
        '{\n    "predictions": [\n        {\n            "same": "t",\n            "twice": 2.0\n'
        "        }\n    ]\n}",
    ),
    Golden(
        "/v1/models/digits:predict",
        {"signature_name": "bytes", "instances": [{"b64": NINE}]},
        200,
        '{\n    "predictions": ["9"\n    ]\n}',
    ),
    Golden(
        "/v1/models/digits:predict",
        {"instances": [NINE.replace("+", "-").replace("/", "_")]},
        200,
        '{\n    "predictions": ["9"\n    ]\n}',
    ),
    Golden(
        f"{HALF}:classify",
        {"signature_name": "classify_x_to_y", "examples": [{"x": 1.0}, {"x": [2.0]}]},
        200,
        '{\n    "results": [[["2.5", 2.5]], [["3.0", 3.0]]\n    ]\n}',
    ),
    Golden(
        f"{HALF}/versions/123:regress",
        {"signature_name": "regress_x_to_y", "context": {"x": 4.0}, "examples": [{}, {"x": 1.0}]},
        200,
        '{\n    "results": [4.0, 2.5]\n}',
    ),
    Golden(f"{HALF}:predict", "", 400, error("JSON Parse error: The document is empty")),
    Golden(
        f"{HALF}:predict",
        "{",
        400,
        error("JSON Parse error: Missing a name for object member. at offset: 1"),
    ),
    Golden(
        "/v1/models/no:predict",
        "nope",
        400,
        error("JSON Parse error: Invalid value. at offset: 1"),
    ),
    Golden(
        "/v1/models/no:predict",
        {"instances": [1]},
        404,
        error("Servable not found for request: Latest(no)"),
    ),
    Golden(
        f"{HALF}/versions/7:predict",
        {"instances": [1]},
        404,
        error("Servable not found for request: Specific(half, 7)"),
    ),
    Golden(
        "/v1/models/broken:predict",
        {"instances": [1]},
        404,
        error("Servable not found for request: Latest(broken)"),
    ),
    Golden(f"{HALF}:predict", {}, 400, error("Missing 'inputs' or 'instances' key")),
    Golden(
        f"{HALF}:predict",
        {"signature_name": "s", "instances": [1]},
        400,
        error('Serving signature name: "s" not found in signature def'),
    ),
    Golden(
        f"{HALF}:predict",
        {"instances": ["x"]},
        400,
        error(
            "Failed to process element: 0 of 'instances' list. Error: INVALID_ARGUMENT: JSON "
            'Value: "x" Type: String is not of expected type: float'
        ),
    ),
    Golden(
        f"{HALF}:predict",
        {"instances": [[1, 2, 3, 4], [1, 2, 3]]},
        400,
        error(
            "Failed to process element: 1 of 'instances' list. Error: INVALID_ARGUMENT: Expecting "
            "tensor size: 4 but got: 3"
        ),
    ),
    Golden(
        f"{TYPES}:predict",
        {"signature_name": "echo_float16", "inputs": [1.5]},
        501,
        error("Conversion of JSON Value: 1.5 to type: half"),
    ),
    Golden(
        f"{TYPES}:predict",
        {"signature_name": "echo_string", "inputs": [{"b64": "*"}]},
        400,
        error("Unable to base64 decode"),
    ),
    Golden(
        f"{HALF}:classify",
        {"signature_name": "s", "examples": [{"x": 1.0}]},
        400,
        error("No signature was found with the name: s"),
    ),
    Golden(
        f"{HALF}:regress",
        {"examples": []},
        400,
        error("JSON Value: {\n    \"examples\": []\n} 'examples' value is an empty array"),
    ),
]


def ask(base: str, golden: Golden) -> requests.Response:
    if golden.body is None:
        return requests.get(base + golden.path, timeout=60)
    body = golden.body if isinstance(golden.body, str) else json.dumps(golden.body)
    return requests.post(base + golden.path, data=body.encode(), timeout=60)


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: f"{golden.path[:40]} {golden.status}")
def test_golden_answers_from_both_endpoints(
    server: ModelServer, function: str, golden: Golden
) -> None:
    from_process, from_function = ask(server.rest_url, golden), ask(function, golden)

    assert from_process.content.decode() == golden.answer
    assert from_process.status_code == golden.status
    assert from_function.content == from_process.content, "byte for byte"
    assert from_function.status_code == golden.status
    for answer in (from_process, from_function):
        assert answer.headers["content-type"].split(";")[0] == "application/json"


@pytest.mark.parametrize("path", ["half", "half/versions/0", "types", "digits", "half/labels/old"])
def test_metadata_is_the_same_from_both_endpoints(
    server: ModelServer, function: str, path: str
) -> None:
    answer = server.get(f"/v1/models/{path}/metadata")

    assert answer.status_code == 200
    assert (
        answer.content == requests.get(f"{function}/v1/models/{path}/metadata", timeout=60).content
    )
    found = answer.json()
    assert found["model_spec"]["name"] == path.split("/")[0]
    assert found["metadata"]["signature_def"]["signature_def"]


def test_metadata_of_tensorflow_servings_own_test_model(server: ModelServer) -> None:
    found = server.get("/v1/models/half/metadata").json()
    assert found["model_spec"] == {"name": "half", "signature_name": "", "version": "123"}
    assert found["metadata"]["signature_def"]["signature_def"]["regress_x_to_y"] == {
        "inputs": {
            "inputs": {
                "dtype": "DT_STRING",
                "tensor_shape": {"dim": [{"size": "-1", "name": ""}], "unknown_rank": False},
                "name": "tf_example:0",
            }
        },
        "outputs": {
            "outputs": {
                "dtype": "DT_FLOAT",
                "tensor_shape": {
                    "dim": [{"size": "-1", "name": ""}, {"size": "1", "name": ""}],
                    "unknown_rank": False,
                },
                "name": "y_of_example:0",
            }
        },
        "method_name": "tensorflow/serving/regress",
        "defaults": {},
    }


def test_a_model_that_failed_says_why(server: ModelServer, function: str) -> None:
    for base in (server.rest_url, function):
        (found,) = requests.get(f"{base}/v1/models/broken", timeout=60).json()[
            "model_version_status"
        ]
        assert found["state"] == "END"
        assert found["status"]["error_code"] == "INVALID_ARGUMENT"
        assert "is not a SavedModel" in found["status"]["error_message"]


def test_a_compressed_body_is_inflated(server: ModelServer, function: str) -> None:
    body = gzip.compress(json.dumps({"instances": [1.0]}).encode())
    headers = {"Content-Encoding": "gzip"}
    for base in (server.rest_url, function):
        url = f"{base}/v1/models/half:predict"
        answer = requests.post(url, data=body, headers=headers, timeout=60)
        assert answer.json() == {"predictions": [2.5]}
        cut = requests.post(url, data=body[:-9], headers=headers, timeout=60)
        assert (cut.status_code, cut.json()["error"]) == (400, "The gzip body is cut short.")
        none = requests.post(url, data=b"{}", headers=headers, timeout=60)
        assert none.status_code == 400
        bomb = gzip.compress(b" " * 100_000_000)
        burst = requests.post(url, data=bomb, headers=headers, timeout=60)
        assert (burst.status_code, "once it is inflated" in burst.json()["error"]) == (400, True)


def test_bodies_that_are_hard_to_take_do_no_harm(server: ModelServer, function: str) -> None:
    bodies = [
        b"\xff\xfe\x00",
        b'{"instances": ' + b"[" * 200_000,
        b'{"instances": [' + b"{}," * 1_100_000,
        b'{"instances": [' + b"1," * 3_000_000 + b"1]}",
        b'{"instances": ["' + b"A" * 5_000_000,
    ]
    for base in (server.rest_url, function):
        url = f"{base}/v1/models/half:predict"
        for body in bodies:
            answer = requests.post(url, data=body, timeout=60)
            assert answer.status_code in (200, 400)
            assert "Traceback" not in answer.text
            assert len(answer.content) < 10_000 or answer.status_code == 200
        assert requests.post(url, json={"instances": [1.0]}, timeout=60).status_code == 200


def test_many_callers_at_once_get_their_own_answers(server: ModelServer, function: str) -> None:
    def one(number: int) -> bool:
        base = (server.rest_url, function)[number % 2]
        answer = requests.post(
            f"{base}/v1/models/half:predict", json={"instances": [float(number)]}, timeout=60
        )
        return bool(answer.json() == {"predictions": [number / 2 + 2]})

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(one, range(100)))


def test_what_is_not_the_api_is_not_found(server: ModelServer) -> None:
    answer = server.get("/")

    assert (answer.status_code, answer.text) == (404, error("Not Found"))


def test_pages_may_ask_where_it_is_allowed(server: ModelServer) -> None:
    answer = requests.options(
        f"{server.rest_url}/v1/models/half", headers={"Origin": "http://a"}, timeout=60
    )
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["access-control-allow-methods"] == "POST, GET"
    assert server.get("/v1/models/half").headers["access-control-allow-origin"] == "*"


def test_metrics_count_both_endpoints(server: ModelServer) -> None:
    from tests.support.model_servers import Client

    server.post("/v1/models/types:predict", {"signature_name": "echo_int32", "instances": [1]})
    with Client(server.address) as client:
        client.predict("types", {"value": [1]}, signature="echo_int32")
    answer = server.get("/monitoring/prometheus/metrics")
    lines = answer.text.splitlines()

    assert answer.headers["content-type"] == "text/plain"
    assert "# TYPE :tensorflow:serving:request_count counter" in lines
    ok = ':tensorflow:serving:request_count{model_name="types",status="OK"} '
    assert any(line.startswith(ok) for line in lines)
    for entrypoint in ("GRPC", "REST"):
        labels = f'model_name="types",API="Predict",entrypoint="{entrypoint}"'
        buckets = [line for line in lines if f"request_latency_bucket{{{labels}," in line]
        assert len(buckets) == 34
        assert 'le="10"' in buckets[0] and 'le="18"' in buckets[1] and 'le="+Inf"' in buckets[-1]
        counts = [int(line.rsplit(" ", 1)[1]) for line in buckets]
        assert counts == sorted(counts) and counts[-1] >= 1
        assert f":tensorflow:serving:request_latency_count{{{labels}}} {counts[-1]}" in lines
    ran = (
        ':tensorflow:serving:runtime_latency_count{model_name="types",API="Predict",runtime="TF1"} '
    )
    assert any(line.startswith(ran) for line in lines)


def test_metrics_count_examples(server: ModelServer) -> None:
    def total() -> int:
        text = server.get("/monitoring/prometheus/metrics").text
        name = ':tensorflow:serving:request_example_count_total{model="half"} '
        return sum(int(line.removeprefix(name)) for line in text.splitlines() if name in line)

    before = total()
    body = {"signature_name": "regress_x_to_y", "examples": [{"x": 1.0}, {"x": 2.0}]}
    answer = server.post("/v1/models/half:regress", body)

    assert answer.status_code == 200, answer.text
    assert total() == before + 2
