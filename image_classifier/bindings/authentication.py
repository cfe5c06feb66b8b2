"""Checks the key of an HTTP request."""

from __future__ import annotations

import azure.functions as func

from image_classifier.authentication import first_key, verify_key
from image_classifier.errors import Unauthorized
from image_classifier.settings import Settings

__all__ = ["check_key"]


def check_key(req: func.HttpRequest, settings: Settings) -> None:
    """Checks the key of a request.

    Args:
        req: may carry a key as ``x-functions-key``, ``Prediction-Key`` (or the name that samples
            of Azure's AI services use, ``Ocp-Apim-Subscription-Key``), ``Authorization: Bearer``
            or ``?code=``; the first of these counts.
        settings: the keys, and whether one is needed.

    Raises:
        Unauthorized: a key is needed and this request has none, or a wrong one.
    """
    if settings.api_keys:
        get = req.headers.get
        given = first_key(
            get("x-functions-key"),
            get("prediction-key") or get("ocp-apim-subscription-key"),
            get("authorization"),
            req.params.get("code"),
        )
        verify_key(given, settings)
    elif not (settings.development or settings.allow_anonymous):
        raise Unauthorized(
            "This app is closed: outside Development nobody is let in until the app setting "
            "API_KEYS names at least one key, or ALLOW_ANONYMOUS is true."
        )
