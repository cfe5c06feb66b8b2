"""Processes the queue ``images``: classifies, notifies pages, separates transient failures.

A message is delivered at least once. A transient failure (a timeout, a server that is down) is
raised: the host then shows the message again, and finally moves it to ``images-poison``. Any other
failure (an unknown page, bytes that are no image) goes to ``images-failed``: a retry cannot help.
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
    """The result of a message, as JSON for the output bindings.

    Attributes:
        signalr: ``newResult`` or ``newFailure``, for every connected page.
        failed: for the queue ``images-failed``; None when the image was classified.
    """

    signalr: str
    failed: str | None = None


def classify_message(message: func.QueueMessage, classifier: Classifier) -> Outcome:
    """Classifies the image that a message names.

    Raises:
        ClassifierError: a ``transient`` one: the message must be retried.
    """
    with telemetry.request("queue", f"process {_QUEUE}", attributes=_MESSAGING):
        return _classify_message(message, classifier)


def _classify_message(message: func.QueueMessage, classifier: Classifier) -> Outcome:
    started = time.perf_counter()
    queued = read_message(message)
    try:
        if queued.problem is not None or queued.url is None:
            raise InvalidRequest(queued.problem or "The message has no URL.")
        prediction = classifier.classify_url(queued.url, model=queued.model, version=queued.version)
    except ClassifierError as exc:
        if exc.transient:
            tries = message.dequeue_count
            logger.warning("%s, try %s: %s: %s", queued.id, tries, exc.code, exc.message)
            # The host prints the traceback, in which the inner frames of fetching are noise.
            raise exc.with_traceback(None) from None
        telemetry.set_error(exc.code)
        logger.warning("%s failed: %s: %s", queued.id, exc.code, exc.message)
        failure = _failure(queued, exc, message.dequeue_count)
        return Outcome(_signalr("newFailure", failure), failed=_json(failure))
    milliseconds = (time.perf_counter() - started) * 1000
    result = _result(queued, prediction, milliseconds)
    logger.info(
        "%s: %s is %s (%.4f), %.0f ms",
        queued.id,
        without_query(queued.url),
        result["predictedTagName"],
        result["probability"] or 0.0,
        milliseconds,
    )
    return Outcome(_signalr("newResult", result))


def _result(queued: QueuedImage, prediction: Prediction, milliseconds: float) -> dict[str, Any]:
    answer = prediction.as_dict()
    return {
        "id": queued.id,
        "url": queued.url,
        "predictedTagName": answer["predictedTagName"],
        "probability": max((tag.probability for tag in prediction.tags), default=None),
        "prediction": answer["prediction"],
        "milliseconds": round(milliseconds, 1),
        "model": f"{prediction.model}/{prediction.version}",
    }


def _failure(
    queued: QueuedImage, exc: ClassifierError, dequeue_count: int | None
) -> dict[str, Any]:
    """Describes a failure completely, so that the image can be queued again from it."""
    failure: dict[str, Any] = {"id": queued.id, "url": queued.url}
    failure |= {"model": queued.model} if queued.model else {}
    failure |= {"version": queued.version} if queued.version is not None else {}
    text = exc.message[:_LONGEST_TEXT]
    if queued.url is None:
        failure["text"] = queued.text[:_LONGEST_TEXT]
        if len(queued.text) > _LONGEST_TEXT:
            text += f" Of its {len(queued.text)} characters the first {_LONGEST_TEXT} are kept."
    failure["error"] = {"code": exc.code, "message": text}
    failure["dequeueCount"] = dequeue_count
    failure["failedAt"] = datetime.now(UTC).isoformat(timespec="milliseconds")
    return failure


def _signalr(target: str, argument: dict[str, Any]) -> str:
    return _json({"target": target, "arguments": [argument]})


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False)
