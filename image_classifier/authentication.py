"""Compares a caller's key with the keys in ``API_KEYS``, in the same way for every endpoint."""

from __future__ import annotations

import hmac

from image_classifier.errors import Unauthorized
from image_classifier.settings import Settings

__all__ = ["verify_key", "first_key"]


def verify_key(key: str, settings: Settings) -> None:
    """Accepts a key of API_KEYS, and no other.

    Args:
        key: the caller's, or "".
        settings: they have at least one key.

    Raises:
        Unauthorized: there is no key, or a wrong one.
    """
    if not key:
        raise Unauthorized(
            "A key is needed. Send one of the app's API_KEYS as the header x-functions-key, "
            "Prediction-Key or Authorization: Bearer, or as ?code=."
        )
    # Every key is compared, in constant time, so that the time taken says nothing about them.
    matches = [hmac.compare_digest(key.encode(), allowed.encode()) for allowed in settings.api_keys]
    if not any(matches):
        raise Unauthorized("The key is wrong. Use one of the keys in the app setting API_KEYS.")


def first_key(
    functions_key: str | None,
    prediction_key: str | None,
    authorization: str | None,
    code: str | None = None,
) -> str:
    """The key of a request, from the first header or parameter that has one, or "".

    Args:
        functions_key: the header ``x-functions-key``.
        prediction_key: the header ``Prediction-Key``.
        authorization: the header ``Authorization``; only the scheme Bearer counts.
        code: the parameter ``?code=``.
    """
    scheme, _, token = (authorization or "").partition(" ")
    bearer = token.strip() if scheme.lower() == "bearer" else None
    return next((key for key in (functions_key, prediction_key, bearer, code) if key), "")
