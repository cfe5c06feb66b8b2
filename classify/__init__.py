"""``GET|POST|OPTIONS /api/classify``: an image in, its tag out."""

import azure.functions as func

from image_classifier.bindings import http
from image_classifier.bindings.classify import classify

CLASSIFIER = http.current_classifier()


def main(req: func.HttpRequest) -> func.HttpResponse:
    """Answers like the Functions + TensorFlow tutorial, key for key."""
    return http.answer(
        req, classify, service=CLASSIFIER, function="classify", methods="GET, POST, OPTIONS"
    )
