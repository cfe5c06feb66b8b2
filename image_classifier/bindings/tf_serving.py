"""TensorFlow Serving's REST API as a function: the request's parts in, the answer's out."""

from __future__ import annotations

from urllib.parse import urlsplit

import azure.functions as func

from image_classifier.bindings.authentication import check_key
from image_classifier.bindings.http import HEADERS_OF_STATUS
from image_classifier.bindings.request_record import with_request_record
from image_classifier.classifier import Classifier
from image_classifier.errors import Unauthorized
from image_classifier.protocols.tf_serving.errors import ServingError
from image_classifier.protocols.tf_serving.rest import RestAnswer, error_answer, handle, inflate
from image_classifier.protocols.tf_serving.service import TensorFlowServing, as_serving_error

__all__ = ["answer", "serving"]


def serving(classifier: Classifier) -> TensorFlowServing:
    """What the function answers with; its classifier has the settings, and the keys."""
    return TensorFlowServing(classifier)


def answer(req: func.HttpRequest, serving: TensorFlowServing) -> func.HttpResponse:
    """Answers one request; every error has TensorFlow Serving's shape."""
    return with_request_record("tf_serving", req, lambda: _answer(req, serving))


def _answer(req: func.HttpRequest, serving: TensorFlowServing) -> func.HttpResponse:
    found = _found(req, serving)
    return func.HttpResponse(
        found.body,
        status_code=found.status,
        headers=HEADERS_OF_STATUS.get(found.status),
        mimetype="application/json",
    )


def _found(req: func.HttpRequest, serving: TensorFlowServing) -> RestAnswer:
    try:
        check_key(req, serving.settings)
        body = req.get_body()
        if req.headers.get("content-encoding", "").strip().lower() == "gzip":
            body = inflate(body, limit=serving.largest_body)
    except Unauthorized as exc:
        return error_answer(as_serving_error(exc))
    except ServingError as exc:
        return error_answer(exc)
    return handle(serving, req.method.upper(), urlsplit(req.url).path, body)
