"""The rule of ``/api/classify``: read the request, classify, render."""

from __future__ import annotations

import azure.functions as func

from image_classifier.bindings.http import json_response, prediction_headers
from image_classifier.bindings.image_request import read_image_request
from image_classifier.classifier import Classifier

__all__ = ["classify"]


def classify(req: func.HttpRequest, classifier: Classifier) -> func.HttpResponse:
    """Classifies the request's image; raises ClassifierError."""
    asked = read_image_request(req)
    if asked.url is not None:
        prediction = classifier.classify_url(asked.url, model=asked.model, version=asked.version)
    else:
        data = asked.data or b""
        prediction = classifier.classify_bytes(data, model=asked.model, version=asked.version)
    return json_response(prediction.as_dict(), headers=prediction_headers(prediction))
