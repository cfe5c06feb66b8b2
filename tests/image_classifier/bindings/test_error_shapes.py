"""The three shapes of errors: each says the same of a refused key, of a bug and of a request."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import azure.functions as func
import pytest

from image_classifier import Classifier
from image_classifier.bindings import custom_vision, http, tf_serving
from image_classifier.bindings.classify import classify
from tests.support.builders import colour_image, request

PREDICTION = (
    "/customvision/v3.0/Prediction/6ad1d8e4-27de-4e47-8bf1-1c3b0b3f4a11/classify/iterations/a/image"
)
SIGNATURE = "/v1/models/digits:predict"

Ask = Callable[[Classifier, bytes], func.HttpResponse]


def ask_classify(classifier: Classifier, body: bytes) -> func.HttpResponse:
    req = request("POST", body=body)
    return http.answer(req, classify, service=classifier, function="classify")


def ask_custom_vision(classifier: Classifier, body: bytes) -> func.HttpResponse:
    service = custom_vision.custom_vision(classifier)
    return custom_vision.answer(request("POST", PREDICTION, body=body), service)


def ask_tf_serving(classifier: Classifier, body: bytes) -> func.HttpResponse:
    return tf_serving.answer(request("POST", SIGNATURE, body=body), tf_serving.serving(classifier))


SHAPES = [
    pytest.param(ask_classify, {"error"}, id="classify"),
    pytest.param(ask_custom_vision, {"code", "message"}, id="custom_vision"),
    pytest.param(ask_tf_serving, {"error"}, id="tf_serving"),
]


def body_of(response: func.HttpResponse) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(response.get_body())
    return body


@pytest.mark.parametrize(("ask", "keys"), SHAPES)
def test_a_bug_is_a_500_in_the_shape_and_only_the_log_has_its_traceback(
    ask: Ask,
    keys: set[str],
    classifier: Classifier,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("the secret inside")

    monkeypatch.setattr(classifier.repository, "get", fail)
    monkeypatch.setattr(classifier.repository, "served", fail)
    instances = json.dumps({"instances": [1]}).encode()
    response = ask(classifier, instances if ask is ask_tf_serving else colour_image())

    assert response.status_code == 500
    assert set(body_of(response)) == keys
    assert b"secret" not in response.get_body()
    assert "the secret inside" in caplog.text
    assert "Traceback" in caplog.text


@pytest.mark.parametrize(("ask", "keys"), SHAPES)
def test_a_missing_key_is_a_401_in_the_shape_with_the_header_that_http_requires(
    ask: Ask, keys: set[str], classifier: Classifier
) -> None:
    closed = Classifier(replace(classifier.settings, api_keys=("k",)))
    response = ask(closed, b"")

    assert response.status_code == 401
    assert keys <= set(body_of(response))
    assert response.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("ask", [ask_classify, ask_custom_vision])
def test_a_refused_image_is_logged_with_its_code_and_message(
    ask: Ask, classifier: Classifier, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    response = ask(classifier, b"no image")
    body = body_of(response).get("error", body_of(response))

    assert f"{body['code']}: {body['message']}" in caplog.text


def test_json_that_a_caller_sent_is_repeated_to_the_caller_and_never_logged(
    classifier: Classifier, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    response = ask_tf_serving(classifier, b'{"instances": "SECRET"}')

    assert response.status_code == 400
    assert b"SECRET" in response.get_body()
    assert "SECRET" not in caplog.text
