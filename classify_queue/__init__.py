"""Queue ``images``: an image's URL in, its tag out to every page connected over SignalR."""

import azure.functions as func

from image_classifier.bindings import http
from image_classifier.bindings.classify_queue import classify_message

CLASSIFIER = http.current_classifier()


def main(message: func.QueueMessage, signalr: func.Out[str], failed: func.Out[str]) -> None:
    """Raises transient failures, for a retry; other failures go to ``images-failed``."""
    outcome = classify_message(message, CLASSIFIER)
    signalr.set(outcome.signalr)
    if outcome.failed is not None:
        failed.set(outcome.failed)
