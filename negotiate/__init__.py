"""``POST|OPTIONS /api/negotiate``: connection info for pages that show the queue's results."""

import azure.functions as func

from image_classifier.bindings import http
from image_classifier.bindings.negotiate import negotiate

CLASSIFIER = http.current_classifier()


# async, so that it is answered on the loop: pages connect while every thread classifies.
async def main(req: func.HttpRequest, info: str) -> func.HttpResponse:
    """Answers the first request of a SignalR client's ``withUrl("…/api")``."""
    return negotiate(req, info, CLASSIFIER)
