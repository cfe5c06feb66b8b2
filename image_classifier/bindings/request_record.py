"""Records requests to HTTP functions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache

import azure.functions as func

from image_classifier.classifier import APP_ROOT
from image_classifier.observability import telemetry
from image_classifier.observability.telemetry import Record

__all__ = ["request_record"]


@contextmanager
def request_record(function: str, req: func.HttpRequest) -> Iterator[Record]:
    """Records the request that the ``with`` block answers; the block sets ``status``.

    Args:
        function: the name of the function, which is its folder's.
        req: from the host.
    """
    name, attributes = _call(function, req.method.upper())
    header = req.headers.get
    with telemetry.request(function, name, attributes=attributes, header=header) as record:
        yield record


@cache
def _call(function: str, method: str) -> tuple[str, Mapping[str, str]]:
    """The name and the attributes of a call's span."""
    attributes = {"http.request.method": method}
    file = APP_ROOT / function / "function.json"
    if not file.is_file():  # not one of the app's own functions
        return f"{method} {function}", attributes
    for binding in json.loads(file.read_text("utf-8"))["bindings"]:
        if binding["type"] == "httpTrigger":
            attributes["http.route"] = f"/{binding['route']}"
    return f"{method} {attributes['http.route']}", attributes
