"""Translates errors into those of the Custom Vision prediction API: code, message, status.

The codes are those of the service's own description (``CustomVisionErrorCodes``, v3.1). It does
not give their statuses; each follows its code's first word, as seen in use.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from image_classifier.errors import (
    ClassifierError,
    FetchError,
    ImageTooLarge,
    InvalidRequest,
    ModelError,
    TooManyRequests,
    Unauthorized,
    UnknownModel,
    UnsupportedImage,
)
from image_classifier.protocols.errors import ProtocolError

__all__ = ["CODE_OF_ERROR", "CustomVisionError", "as_custom_vision_error"]

CODE_OF_ERROR: Mapping[type[ClassifierError], tuple[int, str]] = MappingProxyType(
    {
        InvalidRequest: (400, "BadRequestImageStream"),
        # Here the service's gateway answers, with a message of its own.
        Unauthorized: (401, "Forbidden"),
        FetchError: (400, "BadRequestImageUrl"),
        UnknownModel: (404, "NotFoundIteration"),
        ImageTooLarge: (400, "BadRequestImageSizeBytes"),
        UnsupportedImage: (400, "BadRequestImageFormat"),
        TooManyRequests: (429, "ErrorPredictionServiceUnavailable"),
        ModelError: (503, "ErrorPredictionServiceUnavailable"),
    }
)

_ACCESS_DENIED = (
    "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a "
    "valid key for an active subscription and use a correct regional API endpoint for your "
    "resource. (In this app: one of its API_KEYS, as the header Prediction-Key.)"
)


class CustomVisionError(ProtocolError):
    """An error in the service's terms.

    Attributes:
        status: the HTTP status.
        code: one of the service's codes; clients compare it.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code

    def as_dict(self) -> dict[str, Any]:
        """Renders the service's body. With 401 the keys of its gateway's body stand beside it.

        The gateway's body alone leaves the SDKs without code and message.
        """
        body: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.status == 401:
            body["error"] = {"code": "401", "message": self.message}
        return body


def as_custom_vision_error(error: Exception) -> CustomVisionError:
    """Translates any error into the service's terms; a bug's own message is left out."""
    if isinstance(error, CustomVisionError):
        return error
    if not isinstance(error, ClassifierError):
        return CustomVisionError(
            500, "ErrorUnknown", "Something went wrong inside the app. Its log has the details."
        )
    status, code = next(
        CODE_OF_ERROR[kind] for kind in type(error).__mro__ if kind in CODE_OF_ERROR
    )
    message = error.message
    if isinstance(error, ImageTooLarge) and error.in_pixels:
        code = "BadRequestImageDimensions"
    elif isinstance(error, Unauthorized):
        message = _ACCESS_DENIED
    return CustomVisionError(status, code, message)
