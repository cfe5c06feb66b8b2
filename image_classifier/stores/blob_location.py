"""Where on Azure Blob Storage ``MODELS_DIR`` points, and what opens it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote, urlsplit

from image_classifier.errors import SettingsError
from image_classifier.model_files.registry_json import is_safe_path
from image_classifier.setting_parsers import CONTAINER_NAME, StorageSettings

__all__ = ["BlobLocation", "find_location"]

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
# What UseDevelopmentStorage=true stands for. Microsoft publishes the emulator's account and key.
_EMULATOR_ACCOUNT = "devstoreaccount1"
_EMULATOR_KEY = (
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)
_ALLOWED = (
    "It must be a folder, https://ACCOUNT.blob.core.windows.net/CONTAINER[/PREFIX], or "
    "azure://CONTAINER[/PREFIX] in the account of AzureWebJobsStorage"
)


@dataclass(frozen=True)
class BlobLocation:
    """A part of a container.

    Attributes:
        account_url: address of the account's blobs, without a slash at the end.
        container: its name.
        prefix: what the names of all blobs start with; empty, or with a slash at the end.
        account_name: goes with ``account_key``.
        account_key: opens all of the account; may be empty.
        sas: shared access signature without a question mark; may be empty.
        identity: whether the app's managed identity opens it, or whoever is logged in.
        client_id: which of several identities; empty: the only one.
    """

    account_url: str
    container: str
    prefix: str = ""
    account_name: str = ""
    account_key: str = field(default="", repr=False)
    sas: str = field(default="", repr=False)
    identity: bool = False
    client_id: str = ""

    @property
    def shown(self) -> str:
        """Its address, without what opens it."""
        return f"{self.account_url}/{self.container}/{self.prefix}".rstrip("/")


def find_location(models_dir: str, storage: StorageSettings) -> BlobLocation | None:
    """What ``MODELS_DIR`` says, if that is not a folder.

    Args:
        models_dir: the setting.
        storage: what AzureWebJobsStorage says.

    Raises:
        SettingsError: it is an address, and one that cannot be used. The message does not repeat
            the query, which is a secret.
    """
    if not _SCHEME.match(models_dir):
        return None
    shown = models_dir.partition("?")[0]
    try:
        url = urlsplit(models_dir)
        if url.scheme == "azure":
            return _in_own_account(url, storage)
        if url.scheme in ("https", "http"):
            return _at_address(url, storage)
    except ValueError as exc:
        raise SettingsError(f"MODELS_DIR={shown!r}: {exc}.") from None
    raise SettingsError(f"MODELS_DIR={shown!r}: {_ALLOWED}.")


def _in_own_account(url: SplitResult, storage: StorageSettings) -> BlobLocation:
    if url.query or url.fragment:
        raise ValueError("azure:// takes no query: AzureWebJobsStorage says what opens the account")
    opens = _account(storage)
    if opens is None:
        raise ValueError(
            "azure:// means the account of AzureWebJobsStorage, which names none. Set it to a "
            "connection string; or, for the app's identity, AzureWebJobsStorage__accountName to "
            "the account's name or AzureWebJobsStorage__blobServiceUri to the address of its blobs"
        )
    return _location(opens, url.netloc, url.path)


def _at_address(url: SplitResult, storage: StorageSettings) -> BlobLocation:
    parts = url.path.lstrip("/").split("/")
    is_emulator = parts[0] == _EMULATOR_ACCOUNT
    if url.username is not None or not url.hostname or url.fragment:
        raise ValueError(_ALLOWED)
    if url.scheme == "http" and not is_emulator:
        raise ValueError("http:// is for the storage emulator only: write https://")
    if url.query and "sig=" not in url.query:
        raise ValueError("its query is no shared access signature, which has a sig=")
    account_url = f"{url.scheme}://{url.netloc}"
    if is_emulator:
        account_url += f"/{parts.pop(0)}"
    container, rest = parts[0], "/".join(parts[1:])
    own = _account(storage)
    if url.query:
        own = {"account_url": account_url, "sas": url.query}
    elif own is None:
        own = {"account_url": account_url}  # then everybody may read it
    elif own["account_url"].lower() != account_url.lower():
        # Another account: its key is not known, but the app's identity may be let in there. What
        # proves the identity opens other accounts too, so it goes to nobody but Azure.
        is_azures = url.scheme == "https" and ".blob." in (url.hostname or "")
        kept = ("identity", "client_id") if is_azures else ()
        own = {name: text for name, text in own.items() if name in kept}
        own["account_url"] = account_url
    return _location(own, container, rest)


def _location(opens: Mapping[str, str], container: str, path: str) -> BlobLocation:
    prefix = unquote(path.strip("/"))
    if not CONTAINER_NAME.fullmatch(container):
        raise ValueError(
            f"{container!r} cannot be a container's name, which has 3 to 63 lower-case letters, "
            f"digits and hyphens. {_ALLOWED}"
        )
    if prefix and not is_safe_path(prefix):
        raise ValueError("what follows the container must be names of folders, as in models/live")
    return BlobLocation(
        account_url=opens["account_url"],
        container=container,
        prefix=f"{prefix}/" if prefix else "",
        account_name=opens.get("account_name", ""),
        account_key=opens.get("account_key", ""),
        sas=opens.get("sas", ""),
        identity="identity" in opens,
        client_id=opens.get("client_id", ""),
    )


def _account(storage: StorageSettings) -> dict[str, str] | None:
    """The account of AzureWebJobsStorage; None if it is not set."""
    if storage.blob_service_uri or storage.account_name:
        uri = storage.blob_service_uri or f"https://{storage.account_name}.blob.core.windows.net"
        return {"account_url": uri.rstrip("/"), "identity": "", "client_id": storage.client_id}
    if not storage.connection_string:
        return None
    parts = {
        name.strip().lower(): value.strip()
        for name, _, value in (part.partition("=") for part in storage.connection_string.split(";"))
    }
    if parts.get("usedevelopmentstorage", "").lower() == "true":
        proxy = parts.get("developmentstorageproxyuri", "http://127.0.0.1").rstrip("/")
        parts = {"accountname": _EMULATOR_ACCOUNT, "accountkey": _EMULATOR_KEY}
        parts["blobendpoint"] = f"{proxy}:10000/{_EMULATOR_ACCOUNT}"
    name, key = parts.get("accountname", ""), parts.get("accountkey", "")
    sas = parts.get("sharedaccesssignature", "").lstrip("?")
    protocol = parts.get("defaultendpointsprotocol", "https")
    suffix = parts.get("endpointsuffix", "core.windows.net")
    url = parts.get("blobendpoint") or (f"{protocol}://{name}.blob.{suffix}" if name else "")
    if not url or not (sas or (name and key)):
        raise ValueError(
            "AzureWebJobsStorage is not a connection string with an account's blobs and what opens "
            "them. Copy it from the account's access keys"
        )
    found = {"account_url": url.rstrip("/"), "account_name": name}
    return found | ({"sas": sas} if sas else {"account_key": key})
