"""Answers ``/api/status``: models, engines and readiness; shorter for health probes."""

from __future__ import annotations

from typing import Any

import azure.functions as func

from image_classifier.bindings.http import json_response
from image_classifier.classifier import Classifier
from image_classifier.engines.registry import ENGINES, EngineKind, choose_engine
from image_classifier.errors import ClassifierError, InvalidRequest, ModelError
from image_classifier.model_files.labels import read_labels
from image_classifier.models.model import Model, ModelState, needs_labels
from image_classifier.observability import telemetry

__all__ = ["PROBES", "status"]

# live: the process answers. ready: the app can classify an image now.
PROBES = ("live", "ready")


def status(req: func.HttpRequest, classifier: Classifier) -> func.HttpResponse:
    """Loads the default model unless it is loaded: 200 means that images can be classified.

    The first call in a process therefore takes as long as loading the model. ``?probe=live`` loads
    and checks nothing, and ``?probe=ready`` omits the lists.

    Raises:
        InvalidRequest: the probe is unknown.
    """
    telemetry.mark_probe()
    probe = req.params.get("probe")
    if probe is not None and probe not in PROBES:
        raise InvalidRequest(f"probe={probe[:40]!r} must be one of {', '.join(PROBES)}.")
    if probe == "live":
        return _response({"status": "alive"})
    message = _why_not_ready(classifier)
    body = {
        "status": "unavailable" if message else "ready",
        **({"message": message} if message else {}),
        **({} if probe else _describe_all(classifier)),
    }
    if message:
        telemetry.set_error("Unavailable")
    return _response(body, status=503 if message else 200)


def _response(body: dict[str, Any], *, status: int = 200) -> func.HttpResponse:
    return json_response(body, status=status, headers={"Cache-Control": "no-store"})


def _describe_all(classifier: Classifier) -> dict[str, Any]:
    repository = classifier.repository
    return {
        "defaultModel": repository.default_name,
        "development": classifier.settings.development,
        "models": [
            {"name": name, "versions": [_describe(model, classifier) for model in versions]}
            for name, versions in repository.all().items()
        ],
        "engines": [_describe_engine(kind) for kind in ENGINES.values()],
    }


def _describe_engine(kind: EngineKind) -> dict[str, Any]:
    """Checks whether an engine is installed, without importing it, which would take seconds.

    A failed import is reported once a model needed the engine.
    """
    message = kind.failure
    described = {"name": kind.name, "installed": kind.is_installed()}
    return described | ({"message": message} if message else {})


def _why_not_ready(classifier: Classifier) -> str | None:
    try:
        classifier.repository.get().load()
    except ClassifierError as exc:
        return exc.message
    return None


def _describe(model: Model, classifier: Classifier) -> dict[str, Any]:
    """Reads labels and engine without loading the model, so that long lists stay cheap."""
    described: dict[str, Any] = {"version": model.version, "labels": [], "engine": None}
    message = model.failure
    if not model.is_local:  # it is downloaded when it is first asked for
        described["state"] = (ModelState.FAILED if message else model.state).value
        return described | ({"message": message} if message else {})
    try:
        kind, weights = choose_engine(model.folder, classifier.settings.engine)
        described["engine"] = kind.name
        if needs_labels(weights):
            described["labels"] = list(read_labels(model.folder))
    except ModelError as exc:
        message = exc.message
    described["state"] = (ModelState.FAILED if message else model.state).value
    if model.provider:  # known once it is loaded
        described["provider"] = model.provider
    return described | ({"message": message} if message else {})
