"""Resolves ``MODELS_DIR`` to a location on Azure Blob Storage and to the account's credentials."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from urllib.parse import SplitResult, unquote, urlsplit

from image_classifier.errors import SettingsError
from image_classifier.model_files.registry_json import is_safe_path
from image_classifier.setting_parsers import CONTAINER_NAME
from image_classifier.storage_settings import EMULATOR_ACCOUNT, BlobAccount, StorageSettings

__all__ = ["BlobLocation", "find_location"]

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_ALLOWED = (
    "It must be a folder, https://ACCOUNT.blob.core.windows.net/CONTAINER[/PREFIX], or "
    "azure://CONTAINER[/PREFIX] in the account of AzureWebJobsStorage"
)


@dataclass(frozen=True)
class BlobLocation:
    """A part of a container.

    Attributes:
        account: the account, and what opens it.
        container: its name.
        prefix: the beginning of the names of all blobs; empty, or with a slash at the end.
    """

    account: BlobAccount
    container: str
    prefix: str = ""

    @property
    def shown(self) -> str:
        """Its address, without what opens it."""
        return f"{self.account.url}/{self.container}/{self.prefix}".rstrip("/")


def find_location(models_dir: str, storage: StorageSettings) -> BlobLocation | None:
    """The location on Blob Storage that ``MODELS_DIR`` names; None if it names a folder.

    Args:
        models_dir: the setting.
        storage: the app's own account.

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
    account = storage.account()
    if account is None:
        raise ValueError(
            "azure:// means the account of AzureWebJobsStorage, which names none. Set it to a "
            "connection string; or, for the app's identity, AzureWebJobsStorage__accountName to "
            "the account's name or AzureWebJobsStorage__blobServiceUri to the address of its blobs"
        )
    return _location(account, url.netloc, url.path)


def _at_address(url: SplitResult, storage: StorageSettings) -> BlobLocation:
    parts = url.path.lstrip("/").split("/")
    is_emulator = parts[0] == EMULATOR_ACCOUNT
    if url.username is not None or not url.hostname or url.fragment:
        raise ValueError(_ALLOWED)
    if url.scheme == "http" and not is_emulator:
        raise ValueError("http:// is for the storage emulator only: write https://")
    if url.query and "sig=" not in url.query:
        raise ValueError("its query is no shared access signature, which has a sig=")
    account_url = f"{url.scheme}://{url.netloc}"
    if is_emulator:
        account_url += f"/{parts.pop(0)}"
    container, path = parts[0], "/".join(parts[1:])
    own = storage.account()
    if url.query:
        account = BlobAccount(account_url, sas=url.query)
    elif own is None:
        account = BlobAccount(account_url)  # then everybody may read it
    elif own.url.lower() == account_url.lower():
        account = own
    else:
        # Another account: its key is not known, but the app's identity may be let in there. The
        # identity's token opens other accounts too, so it is sent only to Azure.
        is_azures = url.scheme == "https" and ".blob." in (url.hostname or "")
        account = BlobAccount(account_url)
        if is_azures and own.identity:
            account = replace(account, identity=True, client_id=own.client_id)
    return _location(account, container, path)


def _location(account: BlobAccount, container: str, path: str) -> BlobLocation:
    prefix = unquote(path.strip("/"))
    if not CONTAINER_NAME.fullmatch(container):
        raise ValueError(
            f"{container!r} cannot be a container's name, which has 3 to 63 lower-case letters, "
            f"digits and hyphens. {_ALLOWED}"
        )
    if prefix and not is_safe_path(prefix):
        raise ValueError("what follows the container must be names of folders, as in models/live")
    return BlobLocation(account, container, prefix=f"{prefix}/" if prefix else "")
