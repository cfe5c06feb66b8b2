"""``POST|OPTIONS /customvision/…``: the Custom Vision prediction API."""

import azure.functions as func

from image_classifier.bindings import custom_vision, http

SERVICE = custom_vision.custom_vision(http.current_classifier())


def main(req: func.HttpRequest) -> func.HttpResponse:
    """Answers the prediction API's clients: classifies an image or a URL, v3.0 and v3.1."""
    return custom_vision.answer(req, SERVICE)
