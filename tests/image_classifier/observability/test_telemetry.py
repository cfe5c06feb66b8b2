"""The record of a request, and the line in the log that it becomes."""

from __future__ import annotations

import base64
import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from image_classifier import Classifier, Settings
from image_classifier.bindings import classify_queue, custom_vision, http, tf_serving
from image_classifier.bindings.classify import classify
from image_classifier.bindings.custom_vision_container import custom_vision_container
from image_classifier.bindings.status import status
from image_classifier.errors import FetchTimedOut, UnknownModel
from image_classifier.observability import telemetry
from image_classifier.observability.telemetry import Record
from tests.support.builders import colour_image, queue_message, request
from tests.support.servers import ROOT

LOGGER = "image_classifier.requests"
PROJECT = "6ad1d8e4-27de-4e47-8bf1-1c3b0b3f4a11"


def lines(caplog: pytest.LogCaptureFixture, level: int = logging.INFO) -> list[dict[str, Any]]:
    """What was logged of requests at that level or above."""
    mine = [each for each in caplog.records if each.name == LOGGER and each.levelno >= level]
    assert not any("\n" in each.message for each in mine)
    return [json.loads(each.message) for each in mine]


@pytest.fixture(autouse=True)
def listen(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)


def ask(req: Any, classifier: Classifier, handle: Any = classify) -> int:
    response = http.answer(req, handle, service=classifier, function=handle.__name__, methods="GET")
    assert isinstance(response.status_code, int)
    return response.status_code


def test_a_request_is_one_line_with_model_times_and_outcome(
    classifier: Classifier, caplog: pytest.LogCaptureFixture
) -> None:
    image = colour_image("blue")
    ask(request("POST", body=image), classifier)
    (line,) = lines(caplog)

    times = ["total_ms", "decode_ms", "preprocess_ms", "infer_ms"]
    assert list(line) == [
        "endpoint", "outcome", "status", "model", "version", "engine", "images", "bytes", *times
    ]  # fmt: skip
    assert [line[key] for key in list(line)[:8]] == [
        "classify", "ok", 200, "digits", 1, "onnx", 1, len(image)
    ]  # fmt: skip
    assert line["total_ms"] >= line["decode_ms"] + line["preprocess_ms"] + line["infer_ms"] - 0.1


def test_every_endpoint_of_the_app_leaves_a_line(
    classifier: Classifier, caplog: pytest.LogCaptureFixture
) -> None:
    image = colour_image("blue")
    ask(request("POST", body=image), classifier)
    ask(
        request("POST", body=image, route_params={"kind": "image"}),
        classifier,
        custom_vision_container,
    )
    path = f"/customvision/v3.0/Prediction/{PROJECT}/classify/iterations/a/image"
    service = custom_vision.custom_vision(classifier)
    custom_vision.answer(request("POST", path, body=image), service)
    text = base64.b64encode(image).decode()
    body = json.dumps({"signature_name": "bytes", "instances": [{"b64": text}]}).encode()
    serving = tf_serving.serving(classifier)
    tf_serving.answer(request("POST", "/v1/models/digits:predict", body=body), serving)
    classify_queue.classify_message(queue_message("ftp://example.com/a.png"), classifier)
    found = [(line["endpoint"], line["outcome"]) for line in lines(caplog)]

    assert found == [
        ("classify", "ok"),
        ("custom_vision_container", "ok"),
        ("custom_vision", "ok"),
        ("tf_serving", "ok"),
        ("queue", "FetchBlocked"),
    ]


def test_an_error_is_told_by_its_code_and_never_by_its_words(
    classifier: Classifier, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: Any, __: Classifier) -> Any:
        raise RuntimeError("the secret inside")

    ask(request(params={"img": "http://10.0.0.1/secret?sig=secret"}), classifier)
    ask(request("POST", body=b"secret"), classifier)
    ask(request("POST", body=b"x", params={"model": "secret"}), classifier)
    ask(request(), classifier, fail)
    found = lines(caplog)

    assert [(line["outcome"], line["status"]) for line in found] == [
        ("FetchBlocked", 403),
        ("UnsupportedImage", 415),
        ("UnknownModel", 404),
        ("InternalError", 500),
    ]
    assert "secret" not in json.dumps(found)
    assert found[0]["model"] == "digits" and found[0]["fetch_ms"] >= 0
    assert "model" not in found[2], "it is the caller's word"


def test_a_model_that_does_not_load_is_named_by_every_endpoint(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broken = tmp_path / "models" / "broken" / "1"
    broken.mkdir(parents=True)
    (broken / "model.pb").write_bytes(b"no graph")
    (broken / "labels.txt").write_text("a\nb\n")
    classifier = Classifier(Settings.from_environ({"ALLOW_ANONYMOUS": "true"}), app_root=tmp_path)
    serving = tf_serving.serving(classifier)
    body = json.dumps({"instances": [{"b64": ""}]}).encode()
    ask(request("POST", body=colour_image("blue"), params={"model": "broken"}), classifier)
    for path in ("broken", "broken/versions/1", "broken/versions/77", "secret"):
        tf_serving.answer(request("POST", f"/v1/models/{path}:predict", body=body), serving)
    found = [(each.get("model"), each.get("version"), each["status"]) for each in lines(caplog)]

    assert found == [
        ("broken", 1, 503),
        ("broken", 1, 404),
        ("broken", 1, 404),
        ("broken", None, 404),
        (None, None, 404),
    ]


def test_a_refused_key_leaves_a_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    closed = Classifier(Settings.from_environ({"API_KEYS": "k"}), app_root=tmp_path)
    ask(request(), closed)
    custom_vision.answer(request("POST"), custom_vision.custom_vision(closed))
    tf_serving.answer(request(), tf_serving.serving(closed))

    assert [(line["outcome"], line["status"]) for line in lines(caplog)] == [
        ("Unauthorized", 401),
        ("Forbidden", 401),
        ("UNAUTHENTICATED", 401),
    ]


def test_probes_leave_a_line_for_debugging_only_until_they_fail(
    classifier: Classifier, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ask(request(), classifier, status)
    tf_serving.answer(request("GET", "/v1/models/digits"), tf_serving.serving(classifier))
    assert [line["endpoint"] for line in lines(caplog, logging.DEBUG)] == ["status", "tf_serving"]
    assert lines(caplog) == []

    empty = Classifier(classifier.settings, app_root=tmp_path / "empty")
    ask(request(), empty, status)
    tf_serving.answer(request("GET", "/v1/models/digits"), tf_serving.serving(empty))
    assert [(line["outcome"], line["status"]) for line in lines(caplog)] == [
        ("Unavailable", 503),
        ("NOT_FOUND", 404),
    ]


def test_a_preflight_leaves_no_line(
    classifier: Classifier, caplog: pytest.LogCaptureFixture
) -> None:
    ask(request("OPTIONS"), classifier)

    assert lines(caplog, logging.DEBUG) == []


def test_a_message_that_is_tried_again_has_its_error_for_outcome(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with pytest.raises(FetchTimedOut), telemetry.request("queue", "process images"):
        raise FetchTimedOut("slow")

    assert lines(caplog)[0]["outcome"] == "FetchTimedOut"


def test_several_images_and_their_stages_are_added_up(caplog: pytest.LogCaptureFixture) -> None:
    records: list[Record] = []

    class Keep:
        def began(self, record: Record) -> None:
            pass

        def ended(self, record: Record) -> None:
            records.append(record)

    stop = telemetry.subscribe(Keep())
    try:
        with telemetry.request("grpc", "Predict"):
            for _ in range(1000):
                telemetry.add_image(7)
                telemetry.add_stages([("decode", 1.0), ("infer", 2.0)])
    finally:
        stop()
    (line,), (record,) = lines(caplog), records

    assert (line["images"], line["bytes"]) == (1000, 7000)
    assert (line["decode_ms"], line["infer_ms"]) == (1000.0, 2000.0)
    assert len(record.stages) < 100, "a trace is not to have thousands of spans"
    assert [stage.name for stage in record.stages[:3]] == ["decode", "infer", "decode"]
    assert record.stages[0].ended == pytest.approx(record.stages[1].began)


def test_who_watches_cannot_make_a_request_fail(caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        def began(self, record: Record) -> None:
            raise ValueError("began")

        def ended(self, record: Record) -> None:
            raise ValueError("ended")

    stop = telemetry.subscribe(Broken())
    try:
        with telemetry.request("classify", "GET"):
            pass
    finally:
        stop()

    assert [line["outcome"] for line in lines(caplog)] == ["ok"]
    assert caplog.text.count("a request was not recorded") == 2


def test_outside_of_a_request_nothing_happens(caplog: pytest.LogCaptureFixture) -> None:
    telemetry.set_model("m", 1)
    telemetry.add_stages([("infer", 1.0)])
    telemetry.add_image(1)
    telemetry.set_error("Odd")
    telemetry.mark_probe()
    with pytest.raises(UnknownModel), telemetry.request("classify", "GET"):
        raise UnknownModel("m")

    assert lines(caplog) == [
        {
            "endpoint": "classify",
            "outcome": "UnknownModel",
            "total_ms": lines(caplog)[0]["total_ms"],
        }
    ]


def run(program: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=env, capture_output=True, text=True
    )


SHOW = (
    "import logging, os, sys\n"
    "logging.basicConfig(format='%(message)s')\n"
    "from image_classifier.observability import telemetry\n"
    "from image_classifier.observability.exporters import configure_exporters\n"
    "{before}\n"
    "configure_exporters(os.environ)\n"
    "print('opentelemetry' in sys.modules, len(telemetry._subscribers))"
)


def test_nothing_of_opentelemetry_is_imported_until_it_is_turned_on() -> None:
    off = run(SHOW.format(before=""))
    blank = run(SHOW.format(before=""), OTEL_EXPORTER_OTLP_ENDPOINT=" ", OTEL_SERVICE_NAME="a")

    assert off.stdout.split() == blank.stdout.split() == ["False", "0"]
    assert off.stderr == blank.stderr == ""


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"OTEL_SDK_DISABLED": "true"}, ""),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "only http/protobuf is here"),
        (
            {
                "OTEL_EXPORTER_OTLP_ENDPOINT": "",
                "PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY": "true",
            },
            "add azure-monitor-opentelemetry",
        ),
    ],
)
def test_what_cannot_be_turned_on_is_said_in_one_line(environ: dict[str, str], words: str) -> None:
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", **environ}
    done = run(SHOW.format(before=""), **environ)

    assert done.stdout.split() == ["True", "0"]
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == bool(words)


def test_without_the_packages_a_line_says_what_to_install() -> None:
    before = "sys.modules['opentelemetry.sdk'] = None"
    done = run(SHOW.format(before=before), OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9")

    assert done.stdout.split()[1] == "0"
    assert len(done.stderr.splitlines()) == 1
    assert "Install opentelemetry-sdk" in done.stderr


@pytest.mark.parametrize(
    ("outcome", "status", "is_fault"),
    [
        ("ok", 200, False),
        ("InvalidRequest", 400, False),
        ("Cancelled", 499, False),
        ("InternalError", 500, True),
        ("ModelError", 503, True),
        ("FetchFailed", None, True),
        ("ok", None, False),
    ],
)
def test_a_failure_is_a_fault_if_the_caller_did_not_cause_it(
    outcome: str, status: int | None, is_fault: bool
) -> None:
    record = Record("e", "GET /e", {}, lambda name: None, 0.0, outcome=outcome, status=status)

    assert record.is_fault is is_fault
