"""``POST|OPTIONS /image`` and ``/url``: the routes of Custom Vision's exported container."""

import azure.functions as func

from image_classifier.bindings import http
from image_classifier.bindings.custom_vision_container import custom_vision_container

CLASSIFIER = http.current_classifier()


def main(req: func.HttpRequest) -> func.HttpResponse:
    """Answers like the exported container, key for key."""
    return http.answer(
        req,
        custom_vision_container,
        service=CLASSIFIER,
        function="custom_vision_container",
        methods="POST, OPTIONS",
    )
