"""Answers the two routes of Custom Vision's exported container, without its faults.

That container answered failures with 200 or 500 and a text, opened files of its own disk for
callers that sent a path, and rebuilt its graph for every image.
"""

from __future__ import annotations

import azure.functions as func

from image_classifier.bindings.http import json_response, prediction_headers
from image_classifier.bindings.image_request import read_choice
from image_classifier.classifier import Classifier
from image_classifier.protocols.custom_vision.exported_container import as_container_answer
from image_classifier.protocols.custom_vision.uploads import image_in, url_in

__all__ = ["custom_vision_container"]


def custom_vision_container(req: func.HttpRequest, classifier: Classifier) -> func.HttpResponse:
    """Classifies the request's image, or the one at its URL; raises ClassifierError."""
    model, version = read_choice(req)
    content_type, body = req.headers.get("content-type", ""), req.get_body()
    if req.route_params["kind"].lower() == "url":
        url = url_in(content_type, body)
        prediction = classifier.classify_url(url, model=model, version=version)
    else:
        data = image_in(content_type, body)
        prediction = classifier.classify_bytes(data, model=model, version=version)
    return json_response(as_container_answer(prediction), headers=prediction_headers(prediction))
