"""Assembles the document and compares it with the functions of the app."""

from __future__ import annotations

import json
import tomllib
from typing import Any

from image_classifier.settings import SETTINGS
from tools.openapi.operations import OPERATIONS
from tools.openapi.routes import ROOT, read_triggers
from tools.openapi.schemas import SCHEMAS

__all__ = ["TARGET", "document", "text"]

TARGET = ROOT / "frontend" / "openapi.json"

# In the order of interest to readers.
_TAGS = {
    "classify": ("Classify", "The app's own API: an image in, its tag out."),
    "status": ("Status", "For people, pages and probes."),
    "custom_vision": (
        "Custom Vision",
        "The Custom Vision prediction API. A path that is not below is 404 `NotFound`.",
    ),
    "custom_vision_container": (
        "Custom Vision container",
        "The two routes of the container that it exports.",
    ),
    "tf_serving": (
        "TensorFlow Serving",
        "Its REST API. Every image classifier has the signatures `serving_default`, `bytes`, "
        "`probabilities` and `tensors`.",
    ),
    "negotiate": ("Live results", "SignalR, for pages that watch the queue."),
}
_LIMITS = ("MAX_IMAGE_BYTES", "MAX_IMAGE_PIXELS", "FETCH_TIMEOUT_SECONDS")

_SECURITY = {
    "functionsKey": {"type": "apiKey", "in": "header", "name": "x-functions-key"},
    "predictionKey": {"type": "apiKey", "in": "header", "name": "Prediction-Key"},
    "bearer": {"type": "http", "scheme": "bearer"},
    "code": {
        "type": "apiKey",
        "in": "query",
        "name": "code",
        "description": "Proxies log it: better send a header.",
    },
}
_HEADERS = {
    "Server-Timing": {
        "description": "Milliseconds that each stage took.",
        "schema": {"type": "string"},
        "example": "fetch;dur=12.40, decode;dur=1.90, preprocess;dur=1.20, infer;dur=4.70",
    },
    "X-Model": {
        "description": "Which model answered, and its version.",
        "schema": {"type": "string"},
        "example": "pets/1",
    },
    "X-Engine": {
        "description": "The engine that ran the model.",
        "schema": {"type": "string"},
        "example": "onnx",
    },
}


def document() -> dict[str, Any]:
    """Assembles the document.

    Raises:
        ValueError: a function, a path or a method is described and does not exist, or exists and
            is not described.
    """
    _check()
    paths: dict[str, Any] = {}
    shared: dict[str, Any] = {}
    for function, (tag, _) in _TAGS.items():
        for path, methods in OPERATIONS[function].items():
            for method, operation in methods.items():
                named = {"tags": [tag], "operationId": _id(method, path), **operation}
                paths.setdefault(path, {})[method] = _sharing(named, shared)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Image classifier",
            "version": _version(),
            "license": {"name": "MIT", "identifier": "MIT"},
            "description": _introduction(),
        },
        "servers": [{"url": "/", "description": "Where this document comes from"}],
        "security": [{}, *({name: []} for name in _SECURITY)],
        "tags": [{"name": name, "description": words} for name, words in _TAGS.values()],
        "paths": paths,
        "components": {
            "schemas": SCHEMAS,
            "responses": shared,
            "headers": _HEADERS,
            "securitySchemes": _SECURITY,
        },
    }


def text() -> str:
    """Formats the document as it is committed."""
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


def _sharing(operation: dict[str, Any], shared: dict[str, Any]) -> dict[str, Any]:
    """Replaces the errors of an operation by references, as most operations share them."""
    answers = {}
    for status, answer in operation["responses"].items():
        if status == "200":
            answers[status] = answer
            continue
        tag = operation["tags"][0].replace(" ", "")
        same = (name for name, other in shared.items() if other == answer and status in name)
        name = next(same, None) or _free_name(f"{tag}{status}", shared)
        shared[name] = answer
        answers[status] = {"$ref": f"#/components/responses/{name}"}
    return {**operation, "responses": answers}


def _free_name(name: str, taken: dict[str, Any]) -> str:
    return name if name not in taken else _free_name(f"{name}b", taken)


def _introduction() -> str:
    limits = {setting.name: setting for setting in SETTINGS if setting.name in _LIMITS}
    lines = [
        "Classifies images with models exported from Azure Custom Vision, and others.",
        "In development no request needs a key. Elsewhere send one of the app's `API_KEYS`, as "
        f"{_ways()}; a request without one gets 401.",
        "Limits, with their defaults (app settings): "
        + "; ".join(f"`{s.name}` {s.default} ({s.meaning})" for s in limits.values())
        + ".",
        "Answers may be read by pages of any origin (CORS), but for TensorFlow Serving's. A path "
        "or method that does not exist is answered by the host itself: 404 without a body; so "
        "are bodies that are too large for it (413) and too many requests at once (429).",
        "Clients should ignore keys that they do not know.",
    ]
    return "\n\n".join(lines)


def _ways() -> str:
    shown = {"header": "`{}`", "query": "`?{}=`", None: "`Authorization: Bearer`"}
    ways = [shown[each.get("in")].format(each.get("name")) for each in _SECURITY.values()]
    return f"{', '.join(ways[:-1])} or {ways[-1]}"


def _version() -> str:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return str(project["version"])


def _id(method: str, path: str) -> str:
    words = path.replace("{", "").replace("}", "").replace(":", "/").replace("-", "/").split("/")
    return method + "".join(word[:1].upper() + word[1:] for word in words if word)


def _check() -> None:
    triggers = read_triggers()
    described, named = set(OPERATIONS), set(_TAGS)
    if not described == named == set(triggers):
        raise ValueError(
            f"The functions are {sorted(triggers)}; tools/openapi describes {sorted(described)} "
            f"and names {sorted(named)}."
        )
    for function, trigger in triggers.items():
        paths = OPERATIONS[function]
        for path in paths:
            if not trigger.pattern.fullmatch(path):
                raise ValueError(f"{path} is not answered by {function}: {trigger.pattern}")
        methods = {method for operations in paths.values() for method in operations}
        if methods != set(trigger.methods):
            raise ValueError(f"{function} answers {trigger.methods}, described are {methods}.")
