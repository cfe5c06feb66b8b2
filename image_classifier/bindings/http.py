"""What every HTTP function shares: CORS, keys, errors as JSON, and the one Classifier."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Callable, Mapping
from typing import Any

import azure.functions as func

from image_classifier.bindings.authentication import check_key
from image_classifier.bindings.request_record import with_request_record
from image_classifier.classifier import Classifier
from image_classifier.errors import (
    ClassifierError,
    FetchBlocked,
    FetchFailed,
    FetchTimedOut,
    ImageTooLarge,
    InvalidRequest,
    ModelError,
    TooManyRequests,
    Unauthorized,
    UnknownModel,
    UnsupportedImage,
)
from image_classifier.observability import telemetry
from image_classifier.observability.exporters import configure_exporters
from image_classifier.results import Prediction
from image_classifier.settings import Settings

__all__ = [
    "HEADERS_OF_STATUS",
    "STATUS_OF_ERROR",
    "answer",
    "current_classifier",
    "json_response",
    "prediction_headers",
    "preflight",
]

logger = logging.getLogger(__name__)

STATUS_OF_ERROR: Mapping[type[ClassifierError], int] = {
    InvalidRequest: 400,
    Unauthorized: 401,
    FetchBlocked: 403,
    UnknownModel: 404,
    ImageTooLarge: 413,
    UnsupportedImage: 415,
    FetchFailed: 424,
    TooManyRequests: 429,
    ModelError: 503,
    FetchTimedOut: 504,
}

# What HTTP wants beside these, whatever the body's shape.
HEADERS_OF_STATUS: Mapping[int, Mapping[str, str]] = {
    401: {"WWW-Authenticate": "Bearer"},
    429: {"Retry-After": "1"},
}

# Beyond these two a 500 says nothing: whatever went wrong is for the log, not for the caller.
_BUG = {
    "error": {
        "code": "InternalError",
        "message": "Something went wrong inside the app. Its log has the details.",
    }
}

# The page may come from any static host, and reads the headers that tell model and times.
_CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Server-Timing, X-Model, X-Engine",
    "Timing-Allow-Origin": "*",
}
_PREFLIGHT = {
    # The last two: Custom Vision's SDK for JavaScript sends the one with every request from a page,
    # and its samples give the key in the other.
    "Access-Control-Allow-Headers": "Content-Type, X-Functions-Key, Prediction-Key, Authorization, "
    "X-MS-Command-Name, Ocp-Apim-Subscription-Key",
    "Access-Control-Max-Age": "3600",
}

_classifier: Classifier | None = None
_lock = threading.Lock()


def current_classifier() -> Classifier:
    """The process's one Classifier, made from the environment when first asked for.

    Functions ask for it while they are loaded, so that a wrong setting shows at start.

    Raises:
        SettingsError: a setting cannot be used.
    """
    global _classifier
    with _lock:
        if _classifier is None:
            _classifier = Classifier(Settings.from_environ(os.environ))
            configure_exporters(os.environ)
            if _classifier.settings.warm_up:
                threading.Thread(target=_classifier.warm_up, name="warm up", daemon=True).start()
        return _classifier


def answer(
    req: func.HttpRequest,
    handle: Callable[[func.HttpRequest, Classifier], func.HttpResponse],
    *,
    classifier: Classifier,
    methods: str,
) -> func.HttpResponse:
    """Answers one request: preflight, key, then ``handle``; every error becomes JSON.

    The record of the request has the name of ``handle`` for its endpoint.

    Args:
        req: from the host.
        handle: makes the answer, or raises a ClassifierError.
        classifier: handed to ``handle``; its settings hold the keys.
        methods: for a preflight, as in "GET, POST, OPTIONS".
    """
    if req.method.upper() == "OPTIONS":
        return preflight(methods)
    return with_request_record(handle.__name__, req, lambda: _answer(req, handle, classifier))


def _answer(
    req: func.HttpRequest,
    handle: Callable[[func.HttpRequest, Classifier], func.HttpResponse],
    classifier: Classifier,
) -> func.HttpResponse:
    try:
        check_key(req, classifier.settings)
        return handle(req, classifier)
    except ClassifierError as exc:
        telemetry.set_error(exc.code)
        logger.info("%s: %s", exc.code, exc.message)
        return _error_response(exc)
    except Exception:
        telemetry.set_error(_BUG["error"]["code"])
        logger.exception("a bug, answered with 500")
        return json_response(_BUG, status=500)


def preflight(methods: str) -> func.HttpResponse:
    """What a browser is told that asks whether a page of another origin may call.

    Args:
        methods: that it may use, as in "GET, POST, OPTIONS".
    """
    headers = {**_CORS, **_PREFLIGHT, "Access-Control-Allow-Methods": methods}
    return func.HttpResponse(status_code=204, headers=headers)


def prediction_headers(prediction: Prediction) -> dict[str, str]:
    """Which model answered with which engine, and what each stage took in milliseconds."""
    timing = ", ".join(f"{name};dur={value:.2f}" for name, value in prediction.times.items())
    on = f" ({prediction.provider})" if prediction.provider else ""
    return {
        "Server-Timing": timing,
        "X-Model": f"{prediction.model}/{prediction.version}",
        "X-Engine": f"{prediction.engine}{on}",
    }


def json_response(
    body: Any, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> func.HttpResponse:
    """JSON in UTF-8 with the headers that a page on another origin needs."""
    return func.HttpResponse(
        json.dumps(body, ensure_ascii=False),
        status_code=status,
        headers={**_CORS, **(headers or {})},
        mimetype="application/json",
    )


def _error_response(exc: ClassifierError) -> func.HttpResponse:
    """The one JSON shape of errors."""
    status = next(STATUS_OF_ERROR[kind] for kind in type(exc).__mro__ if kind in STATUS_OF_ERROR)
    body = {"error": {"code": exc.code, "message": exc.message}}
    return json_response(body, status=status, headers=HEADERS_OF_STATUS.get(status))
