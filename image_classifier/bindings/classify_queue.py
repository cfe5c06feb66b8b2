"""The rule of the queue ``images``: classify, tell the page, and sort failures by what may help.

A message is delivered at least once. What another try may mend (a timeout, a server that is down)
is raised: the host then shows the message again, and moves it to ``images-poison`` in the end. What
no try can mend (a page that is not there, bytes that are no image) goes to ``images-failed``.
"""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import azure.functions as func

from image_classifier.bindings.queue_message import QueuedImage, read_message
from image_classifier.classifier import Classifier
from image_classifier.errors import ClassifierError, InvalidRequest
from image_classifier.fetching.urls import without_query
from image_classifier.observability import telemetry
from image_classifier.results import Prediction

__all__ = ["Outcome", "classify_message"]

logger = logging.getLogger(__name__)

_QUEUE = "images"
_MESSAGING = {
    "messaging.system": "azure_queue_storage",
    "messaging.destination.name": _QUEUE,
    "messaging.operation.type": "process",
    "messaging.operation.name": "process",
}

# A message in base64 holds 48 KiB. A URL has at most 8192 characters of 4 bytes, these have at most
# 6 bytes each in JSON: together they always fit.
_LONGEST_TEXT = 2000


@dataclass(frozen=True)
class Outcome:
    """What a message became, as JSON for the output bindings.

    Attributes:
        signalr: ``newResult`` or ``newFailure``, for every page that watches.
        failed: for the queue ``images-failed``; None when the image was classified.
    """

    signalr: str
    failed: str | None = None


def classify_message(message: func.QueueMessage, classifier: Classifier) -> Outcome:
    """Classifies the image that a message names.

    Raises:
        ClassifierError: one that is ``transient``: the message is to be tried again.
    """
    with telemetry.request("queue", f"process {_QUEUE}", attributes=_MESSAGING):
        return _classify_message(message, classifier)


def _classify_message(message: func.QueueMessage, classifier: Classifier) -> Outcome:
    started = time.perf_counter()
    asked = read_message(message)
    try:
        if asked.problem is not None or asked.url is None:
            raise InvalidRequest(asked.problem or "The message has no URL.")
        prediction = classifier.classify_url(asked.url, model=asked.model, version=asked.version)
    except ClassifierError as exc:
        if exc.transient:
            tries = message.dequeue_count
            logger.warning("%s, try %s: %s: %s", asked.id, tries, exc.code, exc.message)
            # The host prints the traceback: fetching's inner frames would tell nobody anything.
            raise exc.with_traceback(None) from None
        telemetry.set_error(exc.code)
        logger.warning("%s failed: %s: %s", asked.id, exc.code, exc.message)
        failure = _failure(asked, exc, message.dequeue_count)
        return Outcome(_signalr("newFailure", failure), failed=_json(failure))
    milliseconds = (time.perf_counter() - started) * 1000
    result = _result(asked, prediction, milliseconds)
    logger.info(
        "%s: %s is %s (%.4f), %.0f ms",
        asked.id,
        without_query(asked.url),
        result["predictedTagName"],
        result["probability"] or 0.0,
        milliseconds,
    )
    return Outcome(_signalr("newResult", result))


def _result(asked: QueuedImage, prediction: Prediction, milliseconds: float) -> dict[str, Any]:
    answer = prediction.as_dict()
    return {
        "id": asked.id,
        "url": asked.url,
        "predictedTagName": answer["predictedTagName"],
        "probability": max((tag.probability for tag in prediction.tags), default=None),
        "prediction": answer["prediction"],
        "milliseconds": round(milliseconds, 1),
        "model": f"{prediction.model}/{prediction.version}",
    }


def _failure(asked: QueuedImage, exc: ClassifierError, dequeue_count: int | None) -> dict[str, Any]:
    """The one shape of failures. Whole, so that the image can be queued again from it."""
    failure: dict[str, Any] = {"id": asked.id, "url": asked.url}
    failure |= {"model": asked.model} if asked.model else {}
    failure |= {"version": asked.version} if asked.version is not None else {}
    words = exc.message[:_LONGEST_TEXT]
    if asked.url is None:
        failure["text"] = asked.text[:_LONGEST_TEXT]
        if len(asked.text) > _LONGEST_TEXT:
            words += f" Of its {len(asked.text)} characters the first {_LONGEST_TEXT} are kept."
    failure["error"] = {"code": exc.code, "message": words}
    failure["dequeueCount"] = dequeue_count
    failure["failedAt"] = datetime.now(UTC).isoformat(timespec="milliseconds")
    return failure


def _signalr(target: str, argument: dict[str, Any]) -> str:
    return _json({"target": target, "arguments": [argument]})


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False)
