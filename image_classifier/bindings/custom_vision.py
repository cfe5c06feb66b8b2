"""The Custom Vision prediction API as a function: the request's parts in, the answer's out."""

from __future__ import annotations

from urllib.parse import urlsplit

import azure.functions as func

from image_classifier.bindings.authentication import check_key
from image_classifier.bindings.http import (
    HEADERS_OF_STATUS,
    json_response,
    prediction_headers,
    preflight,
)
from image_classifier.bindings.request_record import with_request_record
from image_classifier.classifier import Classifier
from image_classifier.errors import Unauthorized
from image_classifier.protocols.custom_vision.errors import as_custom_vision_error
from image_classifier.protocols.custom_vision.service import (
    CustomVision,
    CustomVisionAnswer,
    error_answer,
)

__all__ = ["answer", "custom_vision"]


def custom_vision(classifier: Classifier) -> CustomVision:
    """What the function answers with; its classifier has the settings, and the keys."""
    return CustomVision(classifier)


def answer(req: func.HttpRequest, service: CustomVision) -> func.HttpResponse:
    """Answers one request; every error has the service's shape."""
    if req.method.upper() == "OPTIONS":
        return preflight("POST, OPTIONS")
    return with_request_record("custom_vision", req, lambda: _answer(req, service))


def _answer(req: func.HttpRequest, service: CustomVision) -> func.HttpResponse:
    found = _found(req, service)
    headers = HEADERS_OF_STATUS.get(found.status, {})
    if found.prediction:
        headers = prediction_headers(found.prediction)
    return json_response(found.body, status=found.status, headers=headers)


def _found(req: func.HttpRequest, service: CustomVision) -> CustomVisionAnswer:
    try:
        check_key(req, service.settings)
    except Unauthorized as exc:
        return error_answer(as_custom_vision_error(exc))
    path, content_type = urlsplit(req.url).path, req.headers.get("content-type", "")
    return service.answer(path, content_type, req.get_body())
