"""Answers TensorFlow Serving's REST API in its own shapes, errors included."""

from __future__ import annotations

from urllib.parse import urlsplit

import azure.functions as func

from image_classifier.bindings import http
from image_classifier.classifier import Classifier
from image_classifier.protocols.tf_serving.rest import RestAnswer, error_answer, handle, inflate
from image_classifier.protocols.tf_serving.service import TensorFlowServing, as_serving_error

__all__ = ["answer", "serving"]


def serving(classifier: Classifier) -> TensorFlowServing:
    """Makes the service of the function; its settings hold the keys."""
    return TensorFlowServing(classifier)


def answer(req: func.HttpRequest, serving: TensorFlowServing) -> func.HttpResponse:
    """Answers one request; every error has TensorFlow Serving's shape."""
    return http.answer(req, _answer, service=serving, function="tf_serving", on_error=_render_error)


def _answer(req: func.HttpRequest, serving: TensorFlowServing) -> func.HttpResponse:
    """Answers a question about a model, or a prediction; raises ServingError."""
    body = req.get_body()
    if req.headers.get("content-encoding", "").strip().lower() == "gzip":
        body = inflate(body, limit=serving.largest_body)
    return _response(handle(serving, req.method.upper(), urlsplit(req.url).path, body))


def _render_error(error: Exception) -> http.ErrorResponse:
    """Renders an error as TensorFlow Serving does: ``{"error": …}``.

    Its messages repeat the JSON that a caller sent, so they are not logged.
    """
    rendered = as_serving_error(error)
    return http.ErrorResponse(rendered.code.name, None, _response(error_answer(rendered)))


def _response(answer: RestAnswer) -> func.HttpResponse:
    return func.HttpResponse(
        answer.body,
        status_code=answer.status,
        headers=http.HEADERS_OF_STATUS.get(answer.status),
        mimetype="application/json",
    )
