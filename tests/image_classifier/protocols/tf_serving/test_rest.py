"""Requests of the REST API share the memory that a long body takes."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from image_classifier import Classifier, Settings
from image_classifier.protocols.tf_serving import rest
from image_classifier.protocols.tf_serving.errors import ServingError
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
