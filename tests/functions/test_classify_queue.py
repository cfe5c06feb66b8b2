"""The function folder: its bindings, and that ``main`` sets them."""

from __future__ import annotations

import importlib
import json
from typing import Any

import azure.functions as func
import pytest

from image_classifier import Classifier, Settings
from image_classifier.bindings import http
from image_classifier.errors import FetchFailed
from tests.support.app_tree import ROOT
from tests.support.builders import queue_message
from tests.support.fetch_servers import Server, ok
from tests.support.fetch_servers import http as answer

SEVEN = (ROOT / "frontend" / "samples" / "seven.png").read_bytes()
EXAMPLE = json.loads((ROOT / "local.settings.json.example").read_text("utf-8"))["Values"]


class Output(func.Out[str]):
    """What a host hands to a function for an output binding."""

    def __init__(self) -> None:
        self.values: list[str] = []

    def set(self, val: str) -> None:
        self.values.append(val)

    def get(self) -> str:
        return self.values[-1]


@pytest.fixture
def outputs() -> tuple[Output, Output]:
    return Output(), Output()


@pytest.fixture
def main(monkeypatch: pytest.MonkeyPatch) -> Any:
    environ = {"AZURE_FUNCTIONS_ENVIRONMENT": "Development"}
    settings = Settings.from_environ(environ | {"FETCH_ALLOW_PRIVATE_ADDRESSES": "true"})
    classifier = Classifier(settings, app_root=ROOT)
    monkeypatch.setattr(http, "_classifier", classifier)
    module = importlib.import_module("classify_queue")
    monkeypatch.setattr(module, "CLASSIFIER", classifier)
    return module.main


def test_a_result_goes_to_the_page_only(main: Any, outputs: tuple[Output, Output]) -> None:
    with Server(ok(SEVEN)) as server:
        main(queue_message(server.url), *outputs)
    signalr, failed = outputs

    assert json.loads(signalr.get())["target"] == "newResult"
    assert len(signalr.values) == 1
    assert failed.values == []


def test_a_failure_goes_to_the_page_and_to_the_failed_ones(
    main: Any, outputs: tuple[Output, Output]
) -> None:
    with Server(answer("404 Not Found")) as server:
        main(queue_message(server.url), *outputs)
    signalr, failed = outputs

    assert json.loads(signalr.get())["arguments"] == [json.loads(failed.get())]
    assert len(signalr.values) == len(failed.values) == 1


def test_what_may_pass_is_raised_and_nothing_is_said(
    main: Any, outputs: tuple[Output, Output]
) -> None:
    with (
        Server(answer("503 Service Unavailable")) as server,
        pytest.raises(FetchFailed, match="503"),
    ):
        main(queue_message(server.url), *outputs)

    assert [output.values for output in outputs] == [[], []]


def test_bindings_name_the_queues_the_hub_and_settings_that_there_are() -> None:
    config = json.loads((ROOT / "classify_queue" / "function.json").read_text("utf-8"))
    trigger, signalr, failed = config["bindings"]

    assert (trigger["type"], trigger["queueName"]) == ("queueTrigger", "images")
    assert (signalr["type"], signalr["hubName"]) == ("signalR", "imageclassification")
    assert (failed["type"], failed["queueName"]) == ("queue", "images-failed")
    assert [one["direction"] for one in config["bindings"]] == ["in", "out", "out"]
    assert trigger["connection"] == failed["connection"] == "AzureWebJobsStorage"
    assert signalr["connectionStringSetting"] == "AzureSignalRConnectionString"
    assert "AzureWebJobsStorage" in EXAMPLE


def test_nobody_gets_a_queue_who_did_not_ask_for_one() -> None:
    assert EXAMPLE["AzureWebJobs.classify_queue.Disabled"] == "true"
