"""Which blobs are the app's own, and who gives it tokens for them: read from the environment.

The Functions host names its storage account in one of three ways; App Service, Functions and
Container Apps name the place where an app gets tokens of its managed identity. All of it is what
the platform or the owner wrote there, nothing comes from a caller.

The account also holds the app's code and the host's keys, so the owner names the containers that
callers may ask about, and what a URL says must lead into them in whatever way it is read.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from image_classifier.errors import SettingsError

__all__ = ["OwnBlobs"]

_ACCOUNT = re.compile(r"[a-z0-9]{3,24}")
_HOST = re.compile(r"[a-z0-9.-]+\.[a-z0-9-]+")
_ODD = re.compile(r"[\x00-\x1f\x7f-\x9f\\]")
# How often a percent-encoded name is decoded; one that still is encoded then was made to confuse.
_MOST_READINGS = 4


@dataclass(frozen=True)
class OwnBlobs:
    """Where the app's own blobs are, and where tokens for them are to be had.

    Attributes:
        host: the account's blob host, such as ``myaccount.blob.core.windows.net``.
        containers: names of the containers whose blobs callers may have fetched.
        token_url: the platform's place for tokens; empty where there is no managed identity.
        token_key: what that place wants to see, so that nobody else is served.
        client_id: which of several user-assigned identities; empty: the app's only one.
    """

    host: str
    containers: frozenset[str]
    token_url: str
    token_key: str = field(repr=False)
    client_id: str

    @classmethod
    def from_environ(cls, environ: Mapping[str, str], containers: frozenset[str]) -> OwnBlobs:
        """Reads what ``AzureWebJobsStorage`` says, and what the platform does.

        Args:
            environ: app settings and what the platform adds to them.
            containers: what ``FETCH_BLOB_CONTAINERS`` says.

        Raises:
            SettingsError: no storage account is named, or not one with a blob host over https; or
                no container is named, which never stands for all of them.
        """
        host = _host(environ)
        if not containers:
            raise SettingsError(
                "FETCH_BLOB_IDENTITY='true': no container is named whose blobs callers may have "
                "fetched. Set FETCH_BLOB_CONTAINERS to the containers with images, such as "
                "images,uploads, or set FETCH_BLOB_IDENTITY to false."
            )
        return cls(
            host,
            containers,
            environ.get("IDENTITY_ENDPOINT", "").strip(),
            environ.get("IDENTITY_HEADER", "").strip(),
            environ.get("AzureWebJobsStorage__clientId", "").strip(),
        )

    def has(self, path: str) -> bool:
        """Whether a URL's path is that of a blob in one of the containers.

        The service and whatever stands before it may decode a path, fold it or take dots out of it,
        each in its own way. So the container must be spelled as it is, and what follows must stay
        inside it in every reading.

        Args:
            path: percent-encoded, as it goes over the wire.
        """
        container, slash, name = path.removeprefix("/").partition("/")
        return bool(slash) and container in self.containers and _stays_inside(name)


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


def _host(environ: Mapping[str, str]) -> str:
    uri = environ.get("AzureWebJobsStorage__blobServiceUri", "").strip()
    account = environ.get("AzureWebJobsStorage__accountName", "").strip()
    connection = environ.get("AzureWebJobsStorage", "")
    parts = dict(
        (key.strip().lower(), value.strip())
        for key, _, value in (part.partition("=") for part in connection.split(";"))
    )
    uri = uri or ("" if account else parts.get("blobendpoint", ""))
    if uri:
        return _host_of(uri)
    name = (account or parts.get("accountname", "")).lower()
    suffix = "core.windows.net" if account else parts.get("endpointsuffix", "core.windows.net")
    if not _ACCOUNT.fullmatch(name):
        raise SettingsError(
            "FETCH_BLOB_IDENTITY='true': no storage account is named whose blobs would be the "
            "app's own. Set AzureWebJobsStorage__accountName to its name or "
            "AzureWebJobsStorage__blobServiceUri to the address of its blobs, or set "
            "FETCH_BLOB_IDENTITY to false."
        )
    return _host_of(f"https://{name}.blob.{suffix}")


def _host_of(uri: str) -> str:
    try:
        address = urlsplit(uri)
        host, port = address.hostname or "", address.port
    except ValueError:
        address, host, port = urlsplit(""), "", None
    is_root = address.path in ("", "/") and not address.query  # else no container would be first
    if (
        address.scheme != "https"
        or port not in (None, 443)
        or not _HOST.fullmatch(host)
        or not is_root
    ):
        raise SettingsError(
            "FETCH_BLOB_IDENTITY='true': AzureWebJobsStorage leads to no blob host over https, and "
            "a token is sent to nothing else. Its address of blobs must be like "
            "https://myaccount.blob.core.windows.net; or set FETCH_BLOB_IDENTITY to false."
        )
    return host
