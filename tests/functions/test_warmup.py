"""The model is there before the first caller, if that is wished."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from azure.functions.warmup import WarmUpContext

from image_classifier import Classifier
from image_classifier.bindings import http
from image_classifier.bindings.status import status
from image_classifier.models.model import ModelState
from tests.support.builders import request
from tests.support.servers import LocalHost

ROOT = Path(__file__).resolve().parents[2]


def until(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 20
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_warming_up_loads_the_default_model(classifier: Classifier) -> None:
    model = classifier.repository.get()
    assert model.state is ModelState.NOT_LOADED

    classifier.warm_up()

    assert classifier.repository.get().state is ModelState.LOADED


def test_a_model_that_cannot_load_does_not_stop_the_worker(classifier: Classifier) -> None:
    (classifier.repository.get().folder / "labels.txt").write_text("one")

    classifier.warm_up()

    assert (
        http.answer(
            request(), status, service=classifier, function="status", methods="GET"
        ).status_code
        == 503
    )


@pytest.mark.parametrize(
    ("setting", "expected"), [("true", ModelState.LOADED), ("false", ModelState.NOT_LOADED)]
)
def test_warm_up_is_done_in_the_background_at_start(
    monkeypatch: pytest.MonkeyPatch, app_root: Path, setting: str, expected: ModelState
) -> None:
    monkeypatch.setenv("WARM_UP", setting)
    monkeypatch.setenv("MODELS_DIR", str(app_root / "models"))
    monkeypatch.setattr(http, "_classifier", None)
    model = http.current_classifier().repository.get()

    if expected is ModelState.LOADED:
        assert until(lambda: model.state is ModelState.LOADED)
    assert model.state is expected


def test_the_warmup_function_loads_the_model(
    monkeypatch: pytest.MonkeyPatch, app_root: Path
) -> None:
    monkeypatch.setenv("MODELS_DIR", str(app_root / "models"))
    monkeypatch.setattr(http, "_classifier", None)
    import importlib

    warmup = importlib.import_module("warmup")
    monkeypatch.setattr(warmup, "CLASSIFIER", http.current_classifier())

    warmup.main(WarmUpContext())

    assert http.current_classifier().repository.get().state is ModelState.LOADED


def test_the_local_host_lists_the_warmup_function_and_serves_all_the_same(host: LocalHost) -> None:
    host.wait_for_log("warmup: warmupTrigger")
    assert requests.get(f"{host.url}/api/status", timeout=60).status_code == 200
