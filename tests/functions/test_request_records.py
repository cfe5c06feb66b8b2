"""Every HTTP function records its requests under the name of its folder."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
from collections.abc import Iterator
from typing import Any

import azure.functions as func
import pytest

from image_classifier import Classifier
from image_classifier.bindings import http
from image_classifier.observability import telemetry
from image_classifier.observability.telemetry import Record
from tests.support.app_tree import ROOT, function_folders
from tests.support.builders import request


def http_functions() -> list[str]:
    names = []
    for folder in function_folders():
        bindings = json.loads((folder / "function.json").read_text("utf-8"))["bindings"]
        if any(binding["type"] == "httpTrigger" for binding in bindings):
            names.append(folder.name)
    return names


class Records:
    def __init__(self) -> None:
        self.ended_records: list[Record] = []

    def began(self, record: Record) -> None:
        pass

    def ended(self, record: Record) -> None:
        self.ended_records.append(record)


@pytest.fixture
def records() -> Iterator[list[Record]]:
    watcher = Records()
    stop = telemetry.subscribe(watcher)
    yield watcher.ended_records
    stop()


def call(main: Any, req: func.HttpRequest) -> func.HttpResponse:
    """Calls a function as the worker does; one of them is a coroutine, and has a second binding."""
    bound = (
        ['{"url": "u", "accessToken": "t"}'] if len(inspect.signature(main).parameters) > 1 else []
    )
    result = main(req, *bound)
    response: func.HttpResponse = asyncio.run(result) if inspect.iscoroutine(result) else result
    return response


def test_there_are_http_functions() -> None:
    assert {"classify", "custom_vision", "negotiate", "status", "tf_serving"} <= {*http_functions()}


@pytest.mark.parametrize("name", http_functions())
def test_the_record_of_a_request_has_the_name_of_the_functions_folder(
    name: str, records: list[Record], classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "_classifier", classifier)
    function = importlib.reload(importlib.import_module(name))
    response = call(function.main, request("POST", route_params={"kind": "image"}))

    (record,) = records
    assert record.endpoint == name
    assert record.status == response.status_code
    binding = json.loads((ROOT / name / "function.json").read_text("utf-8"))["bindings"][0]
    assert record.name == f"POST /{binding['route']}"
    assert record.attributes["http.route"] == f"/{binding['route']}"
