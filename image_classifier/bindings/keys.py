"""Who may call: the keys in ``API_KEYS``, checked the same way wherever the app runs."""

from __future__ import annotations

import hmac

import azure.functions as func

from image_classifier.errors import Unauthorized
from image_classifier.settings import Settings

__all__ = ["check_key"]


def check_key(req: func.HttpRequest, settings: Settings) -> None:
    """Lets the request through or raises.

    Args:
        req: may carry a key as ``x-functions-key``, ``Prediction-Key``, ``Authorization: Bearer``
            or ``?code=``; the first of these that is there counts.
        settings: the keys, and whether none are needed.

    Raises:
        Unauthorized: a key is needed and this request has none, or a wrong one.
    """
    if not settings.api_keys:
        if settings.development or settings.allow_anonymous:
            return
        raise Unauthorized(
            "This app is closed: outside Development nobody is let in until the app setting "
            "API_KEYS names at least one key, or ALLOW_ANONYMOUS is true."
        )
    given = _given_key(req)
    if not given:
        raise Unauthorized(
            "A key is needed. Send one of the app's API_KEYS as the header x-functions-key, "
            "Prediction-Key or Authorization: Bearer, or as ?code=."
        )
    # Every key is compared, in constant time, so that the time taken says nothing about them.
    matches = [hmac.compare_digest(given.encode(), key.encode()) for key in settings.api_keys]
    if not any(matches):
        raise Unauthorized("The key is wrong. Use one of the keys in the app setting API_KEYS.")


def _given_key(req: func.HttpRequest) -> str:
    scheme, _, token = req.headers.get("authorization", "").partition(" ")
    candidates = (
        req.headers.get("x-functions-key"),
        req.headers.get("prediction-key"),
        token.strip() if scheme.lower() == "bearer" else None,
        req.params.get("code"),
    )
    return next((key for key in candidates if key), "")
