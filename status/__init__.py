"""``GET|OPTIONS /api/status``: whether the app is ready, and with which models."""

import azure.functions as func

from image_classifier.bindings import http
from image_classifier.bindings.status import status

CLASSIFIER = http.current_classifier()


def main(req: func.HttpRequest) -> func.HttpResponse:
    """Answers 200 when the app can classify an image now, else 503 with the reason."""
    return http.answer(req, status, service=CLASSIFIER, function="status", methods="GET, OPTIONS")
