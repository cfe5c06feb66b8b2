"""Which blobs are the app's own, and who gives it tokens for them: read from the environment.

The Functions host names its storage account in one of three ways; App Service, Functions and
Container Apps name the place where an app gets tokens of its managed identity. All of it is what
the platform or the owner wrote there, nothing comes from a caller.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from image_classifier.errors import SettingsError

__all__ = ["OwnBlobs"]

_ACCOUNT = re.compile(r"[a-z0-9]{3,24}")
_HOST = re.compile(r"[a-z0-9.-]+\.[a-z0-9-]+")


@dataclass(frozen=True)
class OwnBlobs:
    """Where the app's own blobs are, and where tokens for them are to be had.

    Attributes:
        host: the account's blob host, such as ``myaccount.blob.core.windows.net``.
        token_url: the platform's place for tokens; empty where there is no managed identity.
        token_key: what that place wants to see, so that nobody else is served.
        client_id: which of several user-assigned identities; empty: the app's only one.
    """

    host: str
    token_url: str
    token_key: str = field(repr=False)
    client_id: str

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> OwnBlobs:
        """Reads what ``AzureWebJobsStorage`` says, and what the platform does.

        Raises:
            SettingsError: no storage account is named, or not one with a blob host over https.
        """
        return cls(
            _host(environ),
            environ.get("IDENTITY_ENDPOINT", "").strip(),
            environ.get("IDENTITY_HEADER", "").strip(),
            environ.get("AzureWebJobsStorage__clientId", "").strip(),
        )


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
            "app's own. Set AzureWebJobsStorage__accountName to its name, or set "
            "FETCH_BLOB_IDENTITY to false."
        )
    return _host_of(f"https://{name}.blob.{suffix}")


def _host_of(uri: str) -> str:
    try:
        address = urlsplit(uri)
        host, port = address.hostname or "", address.port
    except ValueError:
        address, host, port = urlsplit(""), "", None
    if address.scheme != "https" or port not in (None, 443) or not _HOST.fullmatch(host):
        raise SettingsError(
            "FETCH_BLOB_IDENTITY='true': AzureWebJobsStorage leads to no blob host over https, and "
            "a token is sent over nothing else. It must be like "
            "https://myaccount.blob.core.windows.net; or set FETCH_BLOB_IDENTITY to false."
        )
    return host
