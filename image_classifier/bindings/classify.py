"""Answers ``/api/classify``: reads the request, classifies, renders."""

from __future__ import annotations

import azure.functions as func

from image_classifier.bindings.http import json_response, prediction_headers
from image_classifier.bindings.image_request import read_image_request
from image_classifier.classifier import Classifier

__all__ = ["classify"]


def classify(req: func.HttpRequest, classifier: Classifier) -> func.HttpResponse:
    """Classifies the request's image; raises ClassifierError."""
    image_request = read_image_request(req)
    if image_request.url is not None:
        prediction = classifier.classify_url(
            image_request.url, model=image_request.model, version=image_request.version
        )
    else:
        data = image_request.data or b""
        prediction = classifier.classify_bytes(
            data, model=image_request.model, version=image_request.version
        )
    return json_response(prediction.as_dict(), headers=prediction_headers(prediction))
