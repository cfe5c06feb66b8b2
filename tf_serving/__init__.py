"""``GET|POST /v1/…``: TensorFlow Serving's REST API."""

import azure.functions as func

from image_classifier.bindings import http, tf_serving

SERVING = tf_serving.serving(http.current_classifier())


def main(req: func.HttpRequest) -> func.HttpResponse:
    """Answers TensorFlow Serving's clients: status, metadata, predict, classify, regress."""
    return tf_serving.answer(req, SERVING)
