"""Who may call: the keys in ``API_KEYS``, compared the same way whatever the endpoint."""

from __future__ import annotations

import hmac

from image_classifier.errors import Unauthorized
from image_classifier.settings import Settings

__all__ = ["check_given_key", "first_key"]


def check_given_key(given: str, settings: Settings) -> None:
    """Lets a caller pass who gave one of the keys.

    Args:
        given: the key, or "".
        settings: they have at least one key.

    Raises:
        Unauthorized: there is no key, or a wrong one.
    """
    if not given:
        raise Unauthorized(
            "A key is needed. Send one of the app's API_KEYS as the header x-functions-key, "
            "Prediction-Key or Authorization: Bearer, or as ?code=."
        )
    # Every key is compared, in constant time, so that the time taken says nothing about them.
    matches = [hmac.compare_digest(given.encode(), key.encode()) for key in settings.api_keys]
    if not any(matches):
        raise Unauthorized("The key is wrong. Use one of the keys in the app setting API_KEYS.")


def first_key(
    functions_key: str | None,
    prediction_key: str | None,
    authorization: str | None,
    code: str | None = None,
) -> str:
    """Of the ways to give a key the first that was used, or "".

    Args:
        functions_key: the header ``x-functions-key``.
        prediction_key: the header ``Prediction-Key``.
        authorization: the header ``Authorization``; counts if it is a bearer's.
        code: the parameter ``?code=``.
    """
    scheme, _, token = (authorization or "").partition(" ")
    bearer = token.strip() if scheme.lower() == "bearer" else None
    return next((key for key in (functions_key, prediction_key, bearer, code) if key), "")
