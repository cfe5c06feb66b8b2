"""Reads the app's own storage account from the environment, and which of its blobs are fetched.

The Functions host names its storage account in one of three ways; App Service, Functions and
Container Apps name the endpoint that gives an app tokens of its managed identity. All of it was
written by the platform or the owner, nothing comes from a caller.

The account also holds the app's code and the host's keys, so the owner names the containers that
callers may ask about.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from image_classifier.errors import SettingsError

__all__ = ["EMULATOR_ACCOUNT", "BlobAccount", "OwnBlobs", "StorageSettings"]

_SETTING = "AzureWebJobsStorage"
_ACCOUNT = re.compile(r"[a-z0-9]{3,24}")
_HOST = re.compile(r"[a-z0-9.-]+\.[a-z0-9-]+")
# The meaning of UseDevelopmentStorage=true. Microsoft publishes the emulator's account and key.
EMULATOR_ACCOUNT = "devstoreaccount1"
_EMULATOR_KEY = (
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)


@dataclass(frozen=True)
class BlobAccount:
    """The Blob Storage of an account, and what opens it.

    Attributes:
        url: address of the account's blobs, without a slash at the end.
        name: of the account; goes with ``key``.
        key: opens all of the account; may be empty.
        sas: shared access signature without a question mark; may be empty.
        identity: whether the app's managed identity opens it, or the developer's login.
        client_id: chooses one of several identities; empty: the only one.
    """

    url: str
    name: str = ""
    key: str = field(default="", repr=False)
    sas: str = field(default="", repr=False)
    identity: bool = False
    client_id: str = ""


@dataclass(frozen=True)
class StorageSettings:
    """The host's own setting ``AzureWebJobsStorage``; each part may be empty.

    Attributes:
        connection_string: of an account; a secret.
        account_name: of an account that the app's identity opens.
        blob_service_uri: the address of that account's blobs.
        client_id: chooses the identity, if the app has several.
    """

    connection_string: str = field(default="", repr=False)
    account_name: str = ""
    blob_service_uri: str = ""
    client_id: str = ""

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> StorageSettings:
        """Reads the setting and its variants ``AzureWebJobsStorage__…``."""
        return cls(
            environ.get(_SETTING, "").strip(),
            environ.get(f"{_SETTING}__accountName", "").strip(),
            environ.get(f"{_SETTING}__blobServiceUri", "").strip(),
            environ.get(f"{_SETTING}__clientId", "").strip(),
        )

    def account(self) -> BlobAccount | None:
        """The account with the app's own blobs; None if the settings name none.

        The order is the Functions host's: a connection string goes before the settings for an
        identity, and of these the address before the name.

        Raises:
            ValueError: the settings cannot be used; the message never shows a key.
        """
        if self.connection_string:
            return _connected(self.connection_string)
        url = self.blob_service_uri
        if not url and self.account_name:
            url = _address(self.account_name.lower())
        if not url:
            return None
        return BlobAccount(url.rstrip("/"), identity=True, client_id=self.client_id)


def _connected(connection_string: str) -> BlobAccount:
    """Reads a connection string, as the portal shows it."""
    parts = {
        key.strip().lower(): value.strip()
        for key, _, value in (part.partition("=") for part in connection_string.split(";"))
    }
    if parts.get("usedevelopmentstorage", "").lower() == "true":
        proxy = parts.get("developmentstorageproxyuri", "http://127.0.0.1").rstrip("/")
        url = f"{proxy}:10000/{EMULATOR_ACCOUNT}"
        return BlobAccount(url, EMULATOR_ACCOUNT, _EMULATOR_KEY)
    name, key = parts.get("accountname", ""), parts.get("accountkey", "")
    sas = parts.get("sharedaccesssignature", "").lstrip("?")
    url = parts.get("blobendpoint", "")
    if not (sas or (name and key)) or not (url or name):
        raise ValueError(
            f"{_SETTING} is not a connection string with an account's blobs and what opens them. "
            "Copy it from the account's access keys"
        )
    if not url:
        protocol = parts.get("defaultendpointsprotocol", "https")
        url = _address(name.lower(), protocol, parts.get("endpointsuffix", "core.windows.net"))
    return BlobAccount(url.rstrip("/"), name, "" if sas else key, sas)


def _address(name: str, protocol: str = "https", suffix: str = "core.windows.net") -> str:
    if not _ACCOUNT.fullmatch(name):
        raise ValueError(
            f"{_SETTING} names the account {name!r}, and an account's name has 3 to 24 lower-case "
            "letters and digits"
        )
    return f"{protocol}://{name}.blob.{suffix}"


@dataclass(frozen=True)
class OwnBlobs:
    """The blobs that the app fetches with its identity, and the endpoint that gives it tokens.

    Attributes:
        host: the account's blob host, such as ``myaccount.blob.core.windows.net``.
        containers: names of the containers whose blobs callers may have fetched.
        token_url: the platform's endpoint for tokens; empty where there is no managed identity.
        token_key: the secret that the endpoint asks for, so that only the app is served.
        client_id: chooses one of several user-assigned identities; empty: the app's only one.
    """

    host: str
    containers: frozenset[str]
    token_url: str
    token_key: str = field(repr=False)
    client_id: str

    @classmethod
    def from_environ(
        cls, environ: Mapping[str, str], storage: StorageSettings, containers: frozenset[str]
    ) -> OwnBlobs:
        """Reads the platform's variables for the app's identity.

        Args:
            environ: the variables that the platform sets.
            storage: names the account.
            containers: the setting ``FETCH_BLOB_CONTAINERS``.

        Raises:
            SettingsError: no storage account is named, or not one with a blob host over https; or
                no container is named, which never stands for all of them.
        """
        host = _host(storage)
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
            storage.client_id,
        )


def _host(storage: StorageSettings) -> str:
    try:
        account = storage.account()
    except ValueError as exc:
        raise SettingsError(
            f"FETCH_BLOB_IDENTITY='true': {exc}; or set FETCH_BLOB_IDENTITY to false."
        ) from None
    if account is None:
        raise SettingsError(
            "FETCH_BLOB_IDENTITY='true': no storage account is named whose blobs would be the "
            f"app's own. Set {_SETTING}__accountName to its name or {_SETTING}__blobServiceUri to "
            "the address of its blobs, or set FETCH_BLOB_IDENTITY to false."
        )
    try:
        address = urlsplit(account.url)
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
            f"FETCH_BLOB_IDENTITY='true': {_SETTING} leads to no blob host over https, and a token "
            "is sent to nothing else. Its address of blobs must be like "
            "https://myaccount.blob.core.windows.net; or set FETCH_BLOB_IDENTITY to false."
        )
    return host
