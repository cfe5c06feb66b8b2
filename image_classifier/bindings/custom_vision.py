"""Answers the Custom Vision prediction API in its own shapes, errors included."""

from __future__ import annotations

from urllib.parse import urlsplit

import azure.functions as func

from image_classifier.bindings import http
from image_classifier.classifier import Classifier
from image_classifier.protocols.custom_vision.errors import as_custom_vision_error
from image_classifier.protocols.custom_vision.service import CustomVision

__all__ = ["answer", "custom_vision"]


def custom_vision(classifier: Classifier) -> CustomVision:
    """Makes the service of the function; its settings hold the keys."""
    return CustomVision(classifier)


def answer(req: func.HttpRequest, service: CustomVision) -> func.HttpResponse:
    """Answers one request; every error has the service's shape."""
    return http.answer(
        req,
        _classify,
        service=service,
        function="custom_vision",
        methods="POST, OPTIONS",
        on_error=_render_error,
    )


def _classify(req: func.HttpRequest, service: CustomVision) -> func.HttpResponse:
    """Classifies the request's image; raises ClassifierError or CustomVisionError."""
    path, content_type = urlsplit(req.url).path, req.headers.get("content-type", "")
    answer = service.classify(path, content_type, req.get_body())
    return http.json_response(answer.body, headers=http.prediction_headers(answer.prediction))


def _render_error(error: Exception) -> http.ErrorResponse:
    """Renders an error as the service does: ``{"code": …, "message": …}``."""
    rendered = as_custom_vision_error(error)
    response = http.json_response(
        rendered.as_dict(),
        status=rendered.status,
        headers=http.HEADERS_OF_STATUS.get(rendered.status),
    )
    return http.ErrorResponse(rendered.code, rendered.message, response)
