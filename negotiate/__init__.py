"""``POST|OPTIONS /api/negotiate``: where a page hears the results of the queue, and its ticket."""

import azure.functions as func

from image_classifier.bindings import http
from image_classifier.bindings.negotiate import negotiate

CLASSIFIER = http.current_classifier()


# async, so that it is answered on the loop: pages connect while every thread classifies.
async def main(req: func.HttpRequest, info: str) -> func.HttpResponse:
    """Answers what a SignalR client's ``withUrl("…/api")`` asks for."""
    return negotiate(req, info, CLASSIFIER)
