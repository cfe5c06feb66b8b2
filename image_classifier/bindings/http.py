"""Answers HTTP requests: preflights, keys, records, errors, and the one Classifier."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol, TypeVar

import azure.functions as func

from image_classifier.bindings.authentication import check_key
from image_classifier.bindings.request_record import request_record
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
from image_classifier.protocols.errors import ProtocolError
from image_classifier.results import Prediction
from image_classifier.settings import Settings

__all__ = [
    "HEADERS_OF_STATUS",
    "STATUS_OF_ERROR",
    "ErrorResponse",
    "answer",
    "current_classifier",
    "json_response",
    "prediction_headers",
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

# Headers that HTTP requires with these, whatever the shape of the body.
HEADERS_OF_STATUS: Mapping[int, Mapping[str, str]] = {
    401: {"WWW-Authenticate": "Bearer"},
    429: {"Retry-After": "1"},
}

# A bug's own message is for the log, never for the caller.
_BUG_CODE = "InternalError"
_BUG_MESSAGE = "Something went wrong inside the app. Its log has the details."

# Pages may come from any static host, and read the headers with model and times.
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
    """The process's one Classifier, made from the environment by the first call.

    Functions call it while they are loaded, so that a wrong setting fails the start.

    Raises:
        SettingsError: a setting has an unusable value.
    """
    global _classifier
    with _lock:
        if _classifier is None:
            _classifier = Classifier(Settings.from_environ(os.environ))
            configure_exporters(os.environ)
            if _classifier.settings.warm_up:
                threading.Thread(target=_classifier.warm_up, name="warm up", daemon=True).start()
        return _classifier


class ErrorResponse(NamedTuple):
    """An error in the shape of one API.

    Attributes:
        code: for the record of the request and for the log.
        message: for the log; None where it may repeat data of the caller's.
        response: for the caller.
    """

    code: str
    message: str | None
    response: func.HttpResponse


class HasSettings(Protocol):
    """A service whose settings hold the keys of its callers."""

    @property
    def settings(self) -> Settings:
        """The app's settings."""
        ...


S = TypeVar("S", bound=HasSettings)


def render_error(error: Exception) -> ErrorResponse:
    """Renders an error in the app's own shape: ``{"error": {"code": …, "message": …}}``."""
    code, message, status = _BUG_CODE, _BUG_MESSAGE, 500
    if isinstance(error, ClassifierError):
        kinds = (kind for kind in type(error).__mro__ if kind in STATUS_OF_ERROR)
        code, message, status = error.code, error.message, STATUS_OF_ERROR[next(kinds)]
    body = {"error": {"code": code, "message": message}}
    response = json_response(body, status=status, headers=HEADERS_OF_STATUS.get(status))
    return ErrorResponse(code, message, response)


def answer(
    req: func.HttpRequest,
    handle: Callable[[func.HttpRequest, S], func.HttpResponse],
    *,
    service: S,
    function: str,
    methods: str | None = None,
    on_error: Callable[[Exception], ErrorResponse] = render_error,
) -> func.HttpResponse:
    """Answers one request: preflight, key, then ``handle``; every error becomes a response.

    Args:
        req: from the host.
        handle: makes the response, or raises.
        service: for ``handle``; its settings hold the keys.
        function: the name of the function, for the record of the request.
        methods: for preflights, as in "GET, POST, OPTIONS"; None leaves these to ``handle``.
        on_error: renders an error in the function's own shape.
    """
    if methods and req.method.upper() == "OPTIONS":
        return _preflight(methods)
    with request_record(function, req) as record:
        response = _handle(req, handle, service, on_error)
        record.status = response.status_code
    return response


def _handle(
    req: func.HttpRequest,
    handle: Callable[[func.HttpRequest, S], func.HttpResponse],
    service: S,
    on_error: Callable[[Exception], ErrorResponse],
) -> func.HttpResponse:
    try:
        check_key(req, service.settings)
        return handle(req, service)
    except (ClassifierError, ProtocolError) as exc:
        error = on_error(exc)
        if error.message is not None:
            logger.info("%s: %s", error.code, error.message)
    except Exception as exc:
        error = on_error(exc)
        logger.exception("a bug, answered with %s", error.response.status_code)
    telemetry.set_error(error.code)
    return error.response


def _preflight(methods: str) -> func.HttpResponse:
    """Tells a browser that pages of other origins may call with these methods."""
    headers = {**_CORS, **_PREFLIGHT, "Access-Control-Allow-Methods": methods}
    return func.HttpResponse(status_code=204, headers=headers)


def prediction_headers(prediction: Prediction) -> dict[str, str]:
    """Headers that name the model and its engine, and the milliseconds of each stage."""
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
    """Renders JSON in UTF-8, with the headers that pages of other origins need."""
    return func.HttpResponse(
        json.dumps(body, ensure_ascii=False),
        status_code=status,
        headers={**_CORS, **(headers or {})},
        mimetype="application/json",
    )
