"""The record of a request to an HTTP function."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache

import azure.functions as func

from image_classifier.classifier import APP_ROOT
from image_classifier.observability import telemetry

__all__ = ["with_request_record"]


def with_request_record(
    endpoint: str, req: func.HttpRequest, answer: Callable[[], func.HttpResponse]
) -> func.HttpResponse:
    """Answers, and keeps a record of it.

    Args:
        endpoint: the function's name, which is its folder's.
        req: from the host.
        answer: makes the answer; the status that it has is the record's.
    """
    name, attributes = _call(endpoint, req.method.upper())
    with telemetry.request(endpoint, name, attributes=attributes, header=req.headers.get) as record:
        response = answer()
        record.status = response.status_code
    return response


@cache
def _call(endpoint: str, method: str) -> tuple[str, Mapping[str, str]]:
    """What a span is called, and what it says of the call."""
    attributes = {"http.request.method": method}
    file = APP_ROOT / endpoint / "function.json"
    if not file.is_file():  # not one of the app's own functions
        return f"{method} {endpoint}", attributes
    for binding in json.loads(file.read_text("utf-8"))["bindings"]:
        if binding["type"] == "httpTrigger":
            attributes["http.route"] = f"/{binding['route']}"
    return f"{method} {attributes['http.route']}", attributes
