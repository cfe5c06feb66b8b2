"""Requests of the REST API share the memory that a long body takes."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from image_classifier import Classifier, Settings
from image_classifier.protocols.tf_serving import rest
from image_classifier.protocols.tf_serving.errors import Code, ServingError
from image_classifier.protocols.tf_serving.json import parse as json_parse
from image_classifier.protocols.tf_serving.service import TensorFlowServing

LONG = b'"' + b"x" * 2**20 + b'"'
SHORT = b'"x"'


@pytest.mark.parametrize("verb", ["predict", "classify", "regress"])
@pytest.mark.parametrize(("body", "at_once"), [(LONG, 1), (SHORT, 2)], ids=["long", "short"])
def test_long_bodies_are_parsed_one_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str, body: bytes, at_once: int
) -> None:
    serving = TensorFlowServing(Classifier(Settings.from_environ({}), app_root=tmp_path))
    lock, both = threading.Lock(), threading.Event()
    now = most = 0

    def parse(text: bytes) -> object:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        if most == 2:
            both.set()
        both.wait(0.3)  # for the other one, which must not come while a long body is parsed
        with lock:
            now -= 1
        return json_parse.parse(text)

    def ask() -> None:
        with pytest.raises(ServingError):
            rest.handle(serving, "POST", f"/v1/models/m:{verb}", body)

    monkeypatch.setattr(f"{rest.__name__}.parse", parse)
    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert most == at_once


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (Code.CANCELLED, 499),
        (Code.UNKNOWN, 500),
        (Code.INVALID_ARGUMENT, 400),
        (Code.DEADLINE_EXCEEDED, 504),
        (Code.NOT_FOUND, 404),
        (Code.ALREADY_EXISTS, 409),
        (Code.PERMISSION_DENIED, 403),
        (Code.RESOURCE_EXHAUSTED, 429),
        (Code.FAILED_PRECONDITION, 400),
        (Code.ABORTED, 409),
        (Code.OUT_OF_RANGE, 400),
        (Code.UNIMPLEMENTED, 501),
        (Code.INTERNAL, 500),
        (Code.UNAVAILABLE, 503),
        (Code.DATA_LOSS, 500),
        (Code.UNAUTHENTICATED, 401),
    ],
)
def test_an_error_has_the_status_that_tensorflow_serving_gives_it(code: Code, status: int) -> None:
    answer = rest.error_answer(ServingError(code, "a reason"))

    assert (answer.status, answer.code) == (status, code)
    assert json.loads(answer.body) == {"error": "a reason"}
