"""The app's managed identity, for blobs of its own storage account and for nothing else.

A token opens all that the identity may read, so the one question here is who gets to see it: the
account's own blob host, over https on port 443, and only for a plain read of a blob in one of the
containers that the owner named. It is loaded when ``FETCH_BLOB_IDENTITY`` is true, and then with
the first download.

Tokens come from the endpoint that App Service, Functions and Container Apps give their apps:
https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference
It is one GET, for which azure-identity would bring 20 MB of packages to every start.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from functools import cache
from http.client import HTTPConnection, HTTPException
from urllib.parse import parse_qsl, urlencode, urlsplit

from image_classifier.errors import FetchFailed
from image_classifier.fetching.urls import Url
from image_classifier.storage_settings import OwnBlobs

__all__ = ["blob_login", "is_own_blob"]

logger = logging.getLogger(__name__)

# The same in all clouds of Azure.
_RESOURCE = "https://storage.azure.com/"
_TOKEN_API_VERSION = "2019-08-01"
# Tokens want a version of the blob service of 2017-11-09 or later; without one they are refused.
_BLOB_API_VERSION = "2021-12-02"
# Asked for anew this long before it ends, which is what the platform's own cache does too.
_MARGIN_SECONDS = 300.0
_PATIENCE_SECONDS = 5.0
# A working token is kept while the endpoint is not well, and it is not asked more often than this.
_PAUSE_SECONDS = 30.0
_MAX_ANSWER_BYTES = 1 << 16
# Which state of the blob is meant. Anything else is a signature, which wins, or another operation.
_PLAIN_QUERY = {"snapshot", "versionid"}


def is_own_blob(url: Url, own: OwnBlobs) -> bool:
    """Whether it is a plain read of a blob in one of the containers, where nobody else listens."""
    if url.scheme != "https" or url.port != 443 or url.host != own.host:
        return False
    if not own.has(url.path):
        return False
    names = {name.lower() for name, _ in parse_qsl(url.query[1:], keep_blank_values=True)}
    return names <= _PLAIN_QUERY


def blob_login(url: Url, own: OwnBlobs, deadline: float) -> dict[str, str]:
    """The headers that let the app read a blob of its own; none for any other URL.

    Args:
        url: what is asked for.
        own: which blobs are the app's own.
        deadline: when the download must have ended, as ``time.monotonic()`` counts.

    Raises:
        FetchFailed: the identity got no token; that may pass.
    """
    if not is_own_blob(url, own):
        return {}
    try:
        token = _tokens_of(own).get(deadline)
    except (OSError, HTTPException, ValueError) as exc:
        logger.warning("no token of the managed identity: %s", exc)
        raise FetchFailed(
            f"{url} is in the app's own storage account, and its managed identity got no token to "
            f"read it with: {exc}. Try again later, or send the image itself.",
            transient=True,
        ) from exc
    return {"Authorization": f"Bearer {token}", "x-ms-version": _BLOB_API_VERSION}


class _Tokens:
    """The identity's newest token; one thread at a time asks for another."""

    def __init__(self, own: OwnBlobs) -> None:
        self._own = own
        self._lock = threading.Lock()
        self._token, self._ends, self._fresh_until = "", 0.0, 0.0

    def get(self, deadline: float) -> str:
        if time.time() < self._fresh_until:
            return self._token
        if not self._lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise TimeoutError("its endpoint was too slow")
        try:
            if time.time() >= self._fresh_until:
                self._renew(deadline)
            return self._token
        finally:
            self._lock.release()

    def _renew(self, deadline: float) -> None:
        try:
            left = min(_PATIENCE_SECONDS, deadline - time.monotonic())
            token, ends = _ask(self._own, max(0.001, left))
        except (OSError, HTTPException, ValueError) as exc:
            if time.time() >= self._ends:
                raise
            logger.warning("the managed identity's token is not renewed yet: %s", exc)
            self._fresh_until = min(self._ends, time.time() + _PAUSE_SECONDS)
            return
        self._token, self._ends = token, ends
        # Also a token that is about to end is good for this download, and for those beside it.
        self._fresh_until = max(ends - _MARGIN_SECONDS, time.time() + 1)


#: Tokens outlive the requests that they were asked for.
_tokens_of = cache(_Tokens)


def _ask(own: OwnBlobs, seconds: float) -> tuple[str, float]:
    """One GET to the platform; returns the token and when it ends, in seconds since 1970."""
    address = urlsplit(own.token_url)
    if address.scheme != "http" or not address.hostname:
        raise ValueError(
            "there is no managed identity here (IDENTITY_ENDPOINT is not set); turn it on for the "
            "app, or set FETCH_BLOB_IDENTITY to false"
        )
    query = {"resource": _RESOURCE, "api-version": _TOKEN_API_VERSION}
    query |= {"client_id": own.client_id} if own.client_id else {}
    # Straight to the platform's own place: no proxy of the environment, no redirect.
    connection = HTTPConnection(address.hostname, address.port, timeout=seconds)
    try:
        target = f"{address.path or '/'}?{urlencode(query)}"
        connection.request("GET", target, headers={"X-IDENTITY-HEADER": own.token_key})
        with connection.getresponse() as response:
            status, answer = response.status, response.read(_MAX_ANSWER_BYTES)
    except TimeoutError as exc:
        raise TimeoutError("its endpoint was too slow") from exc
    except (OSError, HTTPException, ValueError) as exc:  # ValueError's own words could show the key
        raise OSError("its endpoint cannot be reached") from exc
    finally:
        connection.close()
    if status != 200:
        raise ValueError(f"its endpoint answered {status}; is an identity assigned to the app?")
    try:
        fields = json.loads(answer)
        token, ends = str(fields["access_token"]), float(fields["expires_on"])
    except (ValueError, KeyError, TypeError) as exc:
        raise ValueError("its endpoint answered something that is no token") from exc
    # What would end the header would start another one.
    if not token.isascii() or not token.isprintable() or " " in token or not token:
        raise ValueError("its endpoint answered something that is no token")
    return token, ends
