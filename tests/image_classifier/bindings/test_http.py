import json
from pathlib import Path

import azure.functions as func
import pytest

from image_classifier import Classifier, ClassifierError, Settings
from image_classifier.bindings import http
from image_classifier.bindings.classify import classify
from image_classifier.bindings.http import answer
from image_classifier.bindings.status import status
from tests.support.builders import colour_image, model_folder, request
from tests.support.saved_models import half_plus_two


def ask(req: func.HttpRequest, classifier: Classifier) -> func.HttpResponse:
    return http.answer(
        req, classify, service=classifier, function="classify", methods="GET, POST, OPTIONS"
    )


def test_an_image_is_answered_like_the_tutorial(classifier: Classifier) -> None:
    response = ask(request("POST", body=colour_image("blue")), classifier)
    body = json.loads(response.get_body())

    assert response.status_code == 200
    assert response.mimetype == "application/json"
    assert list(body) == ["created", "predictedTagName", "prediction"]
    assert body["predictedTagName"] == "Blue"
    assert response.headers["X-Model"] == "digits/1"
    assert response.headers["X-Engine"] == "onnx (CPUExecutionProvider)"
    stages = [part.split(";dur=") for part in response.headers["Server-Timing"].split(", ")]
    assert [name for name, _ in stages] == ["decode", "preprocess", "infer"]
    assert all(float(value) >= 0 for _, value in stages)


@pytest.mark.parametrize("kind", list(http.STATUS_OF_ERROR))
def test_every_error_becomes_its_status_in_the_one_shape(
    kind: type[ClassifierError], classifier: Classifier
) -> None:
    def fail(req: func.HttpRequest, _: Classifier) -> func.HttpResponse:
        raise kind("What, why and what to do.")

    response = http.answer(request(), fail, service=classifier, function="classify", methods="GET")

    assert response.status_code == http.STATUS_OF_ERROR[kind]
    assert json.loads(response.get_body()) == {
        "error": {"code": kind.__name__, "message": "What, why and what to do."}
    }
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert ("Retry-After" in response.headers) == (response.status_code == 429)
    assert ("WWW-Authenticate" in response.headers) == (response.status_code == 401)


def test_a_bug_is_a_constant_500_and_its_traceback_goes_to_the_log_only(
    classifier: Classifier, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(req: func.HttpRequest, _: Classifier) -> func.HttpResponse:
        raise RuntimeError("the secret inside")

    response = http.answer(request(), fail, service=classifier, function="classify", methods="GET")

    assert response.status_code == 500
    assert b"secret" not in response.get_body()
    assert json.loads(response.get_body())["error"]["code"] == "InternalError"
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert "the secret inside" in caplog.text


def test_a_preflight_is_answered_without_key_or_image(classifier: Classifier) -> None:
    response = ask(request("OPTIONS"), classifier)

    assert response.status_code == 204
    assert response.headers["Access-Control-Allow-Methods"] == "GET, POST, OPTIONS"
    assert "X-Functions-Key" in response.headers["Access-Control-Allow-Headers"]


def test_every_answer_lets_a_page_elsewhere_read_it(classifier: Classifier) -> None:
    for req in (request("POST", body=colour_image()), request(), request("OPTIONS")):
        headers = ask(req, classifier).headers

        assert headers["Access-Control-Allow-Origin"] == "*"
        assert headers["Timing-Allow-Origin"] == "*"
        assert headers["Access-Control-Expose-Headers"] == "Server-Timing, X-Model, X-Engine"


def test_the_key_is_asked_for_before_anything_else(classifier: Classifier) -> None:
    from dataclasses import replace

    closed = Classifier(replace(classifier.settings, api_keys=("k",)))

    def trap(req: func.HttpRequest, _: Classifier) -> func.HttpResponse:
        raise AssertionError("the request got in without a key")

    response = http.answer(request(), trap, service=closed, function="classify", methods="GET")

    assert response.status_code == 401


def test_unknown_models_are_404_before_the_image_is_fetched(classifier: Classifier) -> None:
    response = ask(request(params={"img": "http://127.0.0.1:1/x", "model": "none"}), classifier)

    assert response.status_code == 404


def test_a_model_that_cannot_load_is_503_and_names_the_file(classifier: Classifier) -> None:
    folder = model_folder(
        Path(classifier.repository.display_name), "bad", onnx=b"no model", labels="a"
    )
    response = ask(request("POST", params={"model": "bad"}, body=colour_image()), classifier)

    assert response.status_code == 503
    assert str(folder / "model.onnx") in json.loads(response.get_body())["error"]["message"]


def test_status_is_ready_when_the_default_model_loads(classifier: Classifier) -> None:
    response = http.answer(request(), status, service=classifier, function="status", methods="GET")
    body = json.loads(response.get_body())

    assert response.status_code == 200
    assert body["status"] == "ready"
    assert body["defaultModel"] == "digits"
    assert body["development"] is True
    assert body["models"] == [
        {
            "name": "digits",
            "versions": [
                {
                    "version": 1,
                    "labels": ["Blue", "Green", "Red"],
                    "engine": "onnx",
                    "state": "loaded",
                    "provider": "CPUExecutionProvider",
                }
            ],
        }
    ]
    assert {"name": "onnx", "installed": True} in body["engines"]


def test_status_is_503_with_the_reason_when_it_does_not(classifier: Classifier) -> None:
    (Path(classifier.repository.display_name) / "digits" / "1" / "labels.txt").write_text(
        "only one"
    )
    response = http.answer(request(), status, service=classifier, function="status", methods="GET")
    body = json.loads(response.get_body())

    assert response.status_code == 503
    assert body["status"] == "unavailable"
    assert "gives 3 scores" in body["message"]
    assert body["models"][0]["versions"][0]["state"] == "failed"


def test_status_lists_models_without_loading_them(classifier: Classifier) -> None:
    model_folder(
        Path(classifier.repository.display_name), "broken", onnx=b"no model", labels="a\nb"
    )
    response = http.answer(request(), status, service=classifier, function="status", methods="GET")
    broken = json.loads(response.get_body())["models"][0]

    assert response.status_code == 200
    assert broken["name"] == "broken"
    assert broken["versions"][0]["state"] == "available"


def test_a_saved_model_with_signatures_of_its_own_needs_no_labels(classifier: Classifier) -> None:
    half_plus_two(Path(classifier.repository.display_name) / "half" / "1")

    body = json.loads(
        answer(request(), status, service=classifier, function="status", methods="GET").get_body()
    )

    (half,) = next(model["versions"] for model in body["models"] if model["name"] == "half")
    assert half == {"version": 1, "labels": [], "engine": "tensorflow", "state": "available"}


def test_a_live_probe_is_answered_without_looking_at_any_model(tmp_path: Path) -> None:
    closed = Settings.from_environ({"AZURE_FUNCTIONS_ENVIRONMENT": "Development"})
    nowhere = Classifier(closed, app_root=tmp_path / "nowhere")
    del nowhere.repository  # a trap: who looks at it fails
    live = ask_status(nowhere, "live")

    assert (live.status_code, json.loads(live.get_body())) == (200, {"status": "alive"})
    assert live.headers["Cache-Control"] == "no-store"


def test_a_ready_probe_is_the_status_without_its_lists(
    classifier: Classifier, tmp_path: Path
) -> None:
    ready = ask_status(classifier, "ready")
    empty = ask_status(Classifier(classifier.settings, app_root=tmp_path / "empty"), "ready")

    assert (ready.status_code, json.loads(ready.get_body())) == (200, {"status": "ready"})
    assert empty.status_code == 503
    assert list(json.loads(empty.get_body())) == ["status", "message"]


def test_another_probe_is_refused_by_name(classifier: Classifier) -> None:
    response = ask_status(classifier, "startup")

    assert response.status_code == 400
    assert "'startup' must be one of live, ready" in response.get_body().decode()


def ask_status(classifier: Classifier, probe: str) -> func.HttpResponse:
    asked = request(params={"probe": probe})
    return http.answer(asked, status, service=classifier, function="status", methods="GET")


def test_json_is_written_as_utf8_not_as_escapes() -> None:
    response = http.json_response({"tag": "grün 日本"}, status=201, headers={"X-A": "b"})

    assert response.get_body() == '{"tag": "grün 日本"}'.encode()
    assert (response.status_code, response.headers["X-A"]) == (201, "b")
    assert response.headers["Access-Control-Allow-Origin"] == "*"
