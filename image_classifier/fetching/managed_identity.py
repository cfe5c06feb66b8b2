"""Logs in to the app's own storage account with its managed identity, and nowhere else.

A token opens all that the identity may read. So only the account's own blob host receives it, over
https on port 443, and only for a plain read of a blob in one of the containers that the owner
named. This module is loaded when ``FETCH_BLOB_IDENTITY`` is true, and then with the first download.

Tokens come from the endpoint that App Service, Functions and Container Apps give their apps:
https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference
It is one GET, for which azure-identity would bring 20 MB of packages to every start.
"""

from __future__ import annotations

import json
import logging
import re
import threading
import time
import unicodedata
from collections.abc import Collection
from functools import cache
from http.client import HTTPConnection, HTTPException
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from image_classifier.errors import FetchFailed
from image_classifier.fetching.deadline import Deadline
from image_classifier.fetching.urls import Url
from image_classifier.storage_settings import OwnBlobs

__all__ = ["blob_login", "is_own_blob", "leads_into"]

logger = logging.getLogger(__name__)

# The same in all clouds of Azure.
_RESOURCE = "https://storage.azure.com/"
_TOKEN_API_VERSION = "2019-08-01"  # noqa: S105 - a version, no secret
# Tokens want a version of the blob service of 2017-11-09 or later; without one they are refused.
_BLOB_API_VERSION = "2021-12-02"
# A token is renewed this long before it expires, as by the platform's own cache.
_MARGIN_SECONDS = 300.0
_PATIENCE_SECONDS = 5.0
# While the endpoint fails, a valid token stays in use, and renewals wait this long.
_PAUSE_SECONDS = 30.0
_MAX_ANSWER_BYTES = 1 << 16
# These choose a state of the blob. Other names are a signature, which takes precedence, or another
# operation.
_PLAIN_QUERY = {"snapshot", "versionid"}
_ODD = re.compile(r"[\x00-\x1f\x7f-\x9f\\]")
# A name that is still percent-encoded after so many readings was made to confuse.
_MOST_READINGS = 4


def is_own_blob(url: Url, own: OwnBlobs) -> bool:
    """Whether it is a plain read over https of a blob in one of the containers."""
    if url.scheme != "https" or url.port != 443 or url.host != own.host:
        return False
    if not leads_into(url.path, own.containers):
        return False
    names = {name.lower() for name, _ in parse_qsl(url.query[1:], keep_blank_values=True)}
    return names <= _PLAIN_QUERY


def leads_into(path: str, containers: Collection[str]) -> bool:
    """Whether a URL's path is that of a blob in one of the containers, in every reading.

    The service and whatever stands before it may decode a path, fold it or take dots out of it,
    each in its own way. So the container must be spelled as it is, and the rest must stay inside.

    Args:
        path: percent-encoded, as it goes over the wire.
        containers: names of containers.
    """
    container, slash, name = path.removeprefix("/").partition("/")
    return bool(slash) and container in containers and _stays_inside(name)


def _stays_inside(name: str) -> bool:
    """Whether no reading of a blob's encoded name has empty segments, or any that lead upwards."""
    for _ in range(_MOST_READINGS):
        text = unicodedata.normalize("NFKC", name)
        segments = (segment.partition(";")[0] for segment in text.split("/"))
        if _ODD.search(text) or not all(segment.strip(". ") for segment in segments):
            return False
        try:
            decoded = unquote(name, errors="strict")
        except UnicodeDecodeError:
            return False
        if decoded == name:
            return True
        name = decoded
    return False


def blob_login(url: Url, own: OwnBlobs, deadline: Deadline) -> dict[str, str]:
    """Makes the headers that let the app read a blob of its own; none for any other URL.

    Args:
        url: the URL to download.
        own: the app's own blobs.
        deadline: the end of the download.

    Raises:
        FetchFailed: the identity got no token; this may pass.
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
    """Keeps the identity's newest token; one thread at a time renews it."""

    def __init__(self, own: OwnBlobs) -> None:
        self._own = own
        self._lock = threading.Lock()
        self._token, self._ends, self._fresh_until = "", 0.0, 0.0

    def get(self, deadline: Deadline) -> str:
        if time.time() < self._fresh_until:
            return self._token
        if not self._lock.acquire(timeout=max(0.0, deadline.remaining)):
            raise TimeoutError("its endpoint was too slow")
        try:
            if time.time() >= self._fresh_until:
                self._renew(deadline)
            return self._token
        finally:
            self._lock.release()

    def _renew(self, deadline: Deadline) -> None:
        try:
            seconds = max(0.001, min(_PATIENCE_SECONDS, deadline.remaining))
            token, ends = _request_token(self._own, seconds)
        except (OSError, HTTPException, ValueError) as exc:
            if time.time() >= self._ends:
                raise
            logger.warning("the managed identity's token is not renewed yet: %s", exc)
            self._fresh_until = min(self._ends, time.time() + _PAUSE_SECONDS)
            return
        self._token, self._ends = token, ends
        # A token that is about to expire still serves this download and its neighbours.
        self._fresh_until = max(ends - _MARGIN_SECONDS, time.time() + 1)


#: Tokens outlive the requests for which they were issued.
_tokens_of = cache(_Tokens)


def _request_token(own: OwnBlobs, seconds: float) -> tuple[str, float]:
    """Sends one GET to the platform; returns the token and its end, in seconds since 1970."""
    address = urlsplit(own.token_url)
    if address.scheme != "http" or not address.hostname:
        raise ValueError(
            "there is no managed identity here (IDENTITY_ENDPOINT is not set); turn it on for the "
            "app, or set FETCH_BLOB_IDENTITY to false"
        )
    query = {"resource": _RESOURCE, "api-version": _TOKEN_API_VERSION}
    query |= {"client_id": own.client_id} if own.client_id else {}
    # Straight to the platform's own endpoint: no proxy of the environment, no redirect.
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
    # A line break would end the header and start another one.
    if not token.isascii() or not token.isprintable() or " " in token or not token:
        raise ValueError("its endpoint answered something that is no token")
    return token, ends
