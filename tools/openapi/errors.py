"""Describes error answers, from the tables of the endpoints themselves."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

from image_classifier.bindings.http import HEADERS_OF_STATUS, STATUS_OF_ERROR
from image_classifier.errors import ClassifierError, FetchError
from image_classifier.protocols.custom_vision.errors import CODE_OF_ERROR as CUSTOM_VISION_CODES
from image_classifier.protocols.tf_serving.errors import HTTP_STATUS, Code
from image_classifier.protocols.tf_serving.service import CODE_OF_ERROR as SERVING_CODES

__all__ = ["of_custom_vision", "of_the_app", "of_tf_serving"]

Answers = dict[str, dict[str, Any]]

# The codes of Custom Vision's endpoint beside those of its table: status -> code and meaning.
_MORE_CODES: Mapping[int, Mapping[str, str]] = {
    400: {
        "BadRequestImageDimensions": "The image has more pixels than `MAX_IMAGE_PIXELS` allows.",
        "BadRequestInvalidIds": "The project id is no UUID.",
        "BadRequestNotSupported": "Object detection is not served here.",
    },
    404: {"NotFound": "There is no such path in the prediction API."},
    415: {"UnsupportedMediaType": "XML is not read here."},
    500: {"ErrorUnknown": "A bug in the app.", "ErrorPrediction": "A score is no number."},
}
_SERVING_MEANINGS = {
    Code.INVALID_ARGUMENT: "The request, a tensor or an image in it cannot be used.",
    Code.NOT_FOUND: "No such model, or version of it, is served.",
    Code.RESOURCE_EXHAUSTED: "The app has as much work as it takes on; try again a little later.",
    Code.FAILED_PRECONDITION: "The model has no such signature.",
    Code.UNIMPLEMENTED: "The model has an input or an output of a type that JSON has no form for.",
    Code.INTERNAL: "The model cannot be run, or there is a bug; the app's log has the details.",
    Code.UNAUTHENTICATED: "The request carries no key, or one that is not in `API_KEYS`.",
}
# Errors of the request or the model, for which the app has no exception.
_MORE_SERVING_CODES = (Code.FAILED_PRECONDITION, Code.UNIMPLEMENTED)
_BUG = "A bug in the app; its log has the details."


def of_the_app(*, without: Iterable[type[ClassifierError]] = (), schema: str = "Error") -> Answers:
    """Describes the errors of ``/api``: ``{"error": {"code", "message"}}``.

    Args:
        without: errors that this operation cannot have.
        schema: name of the schema of the body.
    """
    codes: dict[int, dict[str, str]] = {}
    for kind, status in STATUS_OF_ERROR.items():
        if not issubclass(kind, tuple(without)):
            codes.setdefault(status, {})[kind.__name__] = _meaning(kind)
    codes[500] = {"InternalError": _BUG}

    def body(status: int, names: list[str]) -> dict[str, Any]:
        code = {"properties": {"code": {"enum": names}}}
        return {"allOf": [_ref(schema), {"properties": {"error": code}}]}

    return {
        str(status): _answer(status, codes[status], body(status, list(codes[status])))
        for status in sorted(codes)
    }


def of_custom_vision(*, by_url: bool) -> Answers:
    """Describes the errors of Custom Vision.

    Args:
        by_url: the request names a URL, which adds errors of fetching.
    """
    codes: dict[int, dict[str, str]] = {}
    for kind, (status, code) in CUSTOM_VISION_CODES.items():
        if by_url or kind is not FetchError:
            codes.setdefault(status, {}).setdefault(code, _meaning(kind))
    for status, more in _MORE_CODES.items():
        if by_url or status != 415:
            codes.setdefault(status, {}).update(more)
    return {
        str(status): _answer(
            status,
            codes[status],
            {
                "allOf": [
                    _ref("CustomVisionError"),
                    {"properties": {"code": {"enum": list(codes[status])}}},
                ]
            },
        )
        for status in sorted(codes)
    }


def of_tf_serving() -> Answers:
    """Describes the errors of TensorFlow Serving: a status and a sentence."""
    codes: dict[int, dict[str, str]] = {}
    for code in sorted({*SERVING_CODES.values(), *_MORE_SERVING_CODES}):
        codes.setdefault(HTTP_STATUS[code], {})[code.name] = _SERVING_MEANINGS[code]
    return {
        str(status): _answer(status, codes[status], _ref("ServingError"))
        for status in sorted(codes)
    }


def _answer(status: int, codes: Mapping[str, str], schema: dict[str, Any]) -> dict[str, Any]:
    lines = [f"`{code}`: {meaning}" for code, meaning in codes.items()]
    answer: dict[str, Any] = {
        "description": "\n\n".join(lines),
        "content": {"application/json": {"schema": schema}},
    }
    headers = HEADERS_OF_STATUS.get(status)
    if headers:
        answer["headers"] = {
            name: {"schema": {"type": "string"}, "example": value}
            for name, value in headers.items()
        }
    return answer


def _meaning(kind: type[ClassifierError]) -> str:
    first = (inspect.getdoc(kind) or "").split("\n\n")[0].replace("\n", " ")
    return first.replace("``", "`")


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}
