"""Implements the Custom Vision prediction API, v3.0 and v3.1: a path and a body in, JSON out.

It follows the service's own description (Prediction.json), and the requests and responses that
its SDKs for Python and JavaScript send and understand.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import unquote
from uuid import UUID, uuid4, uuid5

import numpy as np

from image_classifier.classifier import Classifier
from image_classifier.errors import InvalidRequest
from image_classifier.protocols.custom_vision.errors import CustomVisionError
from image_classifier.protocols.custom_vision.published_names import PublishedNames
from image_classifier.protocols.custom_vision.uploads import image_in, media_type, url_in
from image_classifier.results import Prediction
from image_classifier.settings import Settings

__all__ = ["CustomVision", "CustomVisionAnswer"]

# After whatever prefix host.json may put before the routes.
_PATH = re.compile(
    r"(?:.*/)?customvision/(?P<api>v3\.[01])/prediction/(?P<project>[^/]+)"
    r"/(?P<task>classify|detect)/iterations/(?P<name>[^/]+)/(?P<kind>image|url)(?:/nostore)?/?",
    re.IGNORECASE,
)
_SHAPE = "/customvision/v3.0/Prediction/PROJECT-ID/classify/iterations/PUBLISHED-NAME/image"

# Custom Vision's tag for images that show none of the others always has this name.
_NEGATIVE = "Negative"


class _Call(NamedTuple):
    """A request's path, parsed."""

    api: str
    project: UUID
    name: str
    wants_url: bool


@dataclass(frozen=True)
class CustomVisionAnswer:
    """An answer of the service.

    Attributes:
        body: an ``ImagePrediction``, ready for JSON.
        prediction: the same as the app has it.
    """

    body: dict[str, Any]
    prediction: Prediction


class CustomVision:
    """Answers the clients of the prediction API. Safe to share among threads.

    Args:
        classifier: has the models, and the setting CUSTOM_VISION_MODELS.
    """

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier
        self._names = PublishedNames(
            classifier.settings.custom_vision_models, classifier.repository
        )

    @property
    def settings(self) -> Settings:
        """The app's settings; the endpoint checks the callers' keys."""
        return self._classifier.settings

    def classify(self, path: str, content_type: str, body: bytes) -> CustomVisionAnswer:
        """Answers one POST.

        Args:
            path: as sent: percent-encoded, without the query.
            content_type: the request's header; empty if it has none.
            body: as sent.

        Raises:
            ClassifierError: the image cannot be fetched or classified.
            CustomVisionError: the service has an error of its own for it.
        """
        call = _call(path)
        prediction = self._classify(call, content_type, body)
        return CustomVisionAnswer(_image_prediction(call, prediction), prediction)

    def _classify(self, call: _Call, content_type: str, body: bytes) -> Prediction:
        model, version = self._names.model_for(call.project, call.name)
        if not call.wants_url:
            data = image_in(content_type, body)
            return self._classifier.classify_bytes(data, model=model, version=version)
        if media_type(content_type).endswith("xml"):
            raise CustomVisionError(
                415,
                "UnsupportedMediaType",
                "This app reads no XML. Send the URL as JSON, as in "
                '{"Url": "https://example.com/cat.png"}.',
            )
        try:
            url = url_in(content_type, body)
            return self._classifier.classify_url(url, model=model, version=version)
        except InvalidRequest as exc:
            raise CustomVisionError(400, "BadRequestImageUrl", exc.message) from exc


def _call(path: str) -> _Call:
    match = _PATH.fullmatch(path)
    if match is None:
        raise CustomVisionError(
            404,
            "NotFound",
            f"There is no {path[:200]} here. This app has the prediction API, v3.0 and v3.1, for "
            f"classifiers: {_SHAPE} or …/url, each also with /nostore. It has no training API.",
        )
    try:
        project = UUID(unquote(match["project"]))
    except ValueError:
        raise CustomVisionError(
            400,
            "BadRequestInvalidIds",
            f"{match['project'][:80]!r} is no project id. Any UUID will do, such as the one that "
            "the project had in Custom Vision.",
        ) from None
    if match["task"].lower() == "detect":
        raise CustomVisionError(
            400,
            "BadRequestNotSupported",
            "Invalid project type for operation: this app serves classifiers, and no object "
            f"detection. Classifiers are at {_SHAPE}.",
        )
    wants_url = match["kind"].lower() == "url"
    return _Call(match["api"].lower(), project, unquote(match["name"]), wants_url)


def _image_prediction(call: _Call, prediction: Prediction) -> dict[str, Any]:
    """Renders the service's ``ImagePrediction``: every tag, the most probable first."""
    if not all(map(math.isfinite, prediction.scores)):
        raise CustomVisionError(
            500,
            "ErrorPrediction",
            f"Model {prediction.model!r} gave a score that is no number. Export it again.",
        )
    pairs = zip(prediction.labels, prediction.scores, strict=True)
    ranked = sorted(pairs, key=lambda pair: -pair[1])
    predictions = []
    for label, score in ranked:
        # The shortest decimal that is the same float32, as the service prints it.
        tag = {
            "probability": float(str(np.float32(score))),
            "tagId": _stable_id(call.project, label),
            "tagName": label,
        }
        if call.api == "v3.1":
            tag["tagType"] = _NEGATIVE if label == _NEGATIVE else "Regular"
        predictions.append(tag)
    iteration = prediction.iteration_id or _stable_id(
        call.project, f"{prediction.model}/{prediction.version}"
    )
    return {
        "id": str(uuid4()),
        "project": str(call.project),
        "iteration": str(iteration),
        "created": _utc(prediction.created),
        "predictions": predictions,
    }


@lru_cache(maxsize=4096)
def _stable_id(project: UUID, name: str) -> str:
    """Makes the same id for the same name in the same project, also after a restart."""
    return str(uuid5(project, name))


def _utc(moment: datetime) -> str:
    return f"{moment.isoformat(timespec='milliseconds')}Z"
