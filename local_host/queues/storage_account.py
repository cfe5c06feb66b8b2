"""Reads storage connection strings and signs requests for queues."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from urllib.parse import quote, urlsplit

from local_host.errors import HostError

__all__ = [
    "EMULATOR_ACCOUNT",
    "EMULATOR_KEY",
    "EMULATOR_PORT",
    "StorageAccount",
    "find_account",
]

# An API version that the service and all recent emulators support.
API_VERSION = "2021-12-02"
# The meaning of `UseDevelopmentStorage=true`: the port of the emulator's queues, and the account
# and key that Microsoft publishes for it.
EMULATOR_PORT = 10001
EMULATOR_ACCOUNT = "devstoreaccount1"
EMULATOR_KEY = (
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)
EMULATOR = (
    f"AccountName={EMULATOR_ACCOUNT};AccountKey={EMULATOR_KEY};"
    f"QueueEndpoint={{proxy}}:{EMULATOR_PORT}/{EMULATOR_ACCOUNT}"
)
HINT = (
    "It must be UseDevelopmentStorage=true for the emulator (python -m tools.azurite), or a "
    "connection string as the portal shows it: AccountName=…;AccountKey=…;EndpointSuffix=…"
)


@dataclass(frozen=True)
class StorageAccount:
    """The address and the credentials of an account's queues.

    Attributes:
        endpoint: URL of the account's queue service, without a trailing slash.
        name: the account's name; empty with a shared access signature.
        key: the account's key; empty with a shared access signature.
        sas: the shared access signature, as part of a query; may be empty.
        setting: the app setting with the connection string.
    """

    endpoint: str
    name: str = ""
    key: bytes = field(default=b"", repr=False)
    sas: str = field(default="", repr=False)
    setting: str = ""

    @classmethod
    def parse(cls, text: str, setting: str) -> StorageAccount:
        """Reads a connection string.

        Raises:
            HostError: the text is invalid; the message names the setting and never shows the key.
        """
        parts = _parts(text, setting)
        if parts.get("usedevelopmentstorage", "").lower() == "true":
            proxy = parts.get("developmentstorageproxyuri", "http://127.0.0.1").rstrip("/")
            parts = _parts(EMULATOR.format(proxy=proxy), setting)
        name = parts.get("accountname", "")
        endpoint = parts.get("queueendpoint", "")
        if not endpoint and name:
            protocol = parts.get("defaultendpointsprotocol", "https")
            suffix = parts.get("endpointsuffix", "core.windows.net")
            endpoint = f"{protocol}://{name}.queue.{suffix}"
        sas = parts.get("sharedaccesssignature", "").lstrip("?")
        address = urlsplit(endpoint)
        if address.scheme not in ("http", "https") or not address.hostname:
            raise HostError(f"{setting} names no address of a queue service. {HINT}")
        if not sas and not (name and parts.get("accountkey")):
            raise HostError(f"{setting} has neither AccountKey nor SharedAccessSignature. {HINT}")
        try:
            key = base64.b64decode(parts.get("accountkey", ""), validate=True)
        except binascii.Error:
            raise HostError(f"The AccountKey in {setting} is not base64. {HINT}") from None
        return cls(endpoint.rstrip("/"), name, b"" if sas else key, sas, setting)

    def url(self, path: str, query: Mapping[str, str]) -> str:
        """Returns the URL of a request; ``path`` starts with a slash."""
        texts = [f"{name}={quote(value, safe='')}" for name, value in query.items()]
        texts += [self.sas] if self.sas else []
        return f"{self.endpoint}{path}" + (f"?{'&'.join(texts)}" if texts else "")

    def headers(
        self, method: str, path: str, query: Mapping[str, str], content: bytes
    ) -> dict[str, str]:
        """Returns the headers of a request, with its signature if the account has a key."""
        headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": API_VERSION}
        kind = "application/xml" if content else ""
        if self.key:
            signed = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
            resource = f"/{self.name}{urlsplit(self.endpoint).path}{path}"
            resource += "".join(f"\n{name.lower()}:{query[name]}" for name in sorted(query))
            length = str(len(content) or "")
            # The verb, then 11 standard headers in their fixed order, of which two are sent.
            text = f"{method}\n\n\n{length}\n\n{kind}\n\n\n\n\n\n\n{signed}{resource}"
            digest = hmac.new(self.key, text.encode(), hashlib.sha256).digest()
            headers["authorization"] = f"SharedKey {self.name}:{base64.b64encode(digest).decode()}"
        if content:
            headers["content-type"] = kind
        return headers


def find_account(connection: str, environ: Mapping[str, str]) -> StorageAccount:
    """Reads the account of a binding's ``connection``; empty means AzureWebJobsStorage.

    Raises:
        HostError: the setting is missing or is not a connection string, or it is for a managed
            identity, which this host does not have.
    """
    connection = connection or "Storage"
    candidates = (f"AzureWebJobs{connection}", connection)
    setting = next((name for name in candidates if environ.get(name, "").strip()), None)
    if setting is None:
        expected = "AzureWebJobsStorage" if connection == "Storage" else connection
        if by_identity := _set_for_an_identity(candidates, environ):
            raise HostError(
                f"{by_identity} names a storage account for the app's identity, and the local host "
                f"opens queues with a connection string only. Set {expected} to one as well, or "
                "turn off the functions with this connection (AzureWebJobs.NAME.Disabled=true). "
                f"{HINT}"
            )
        raise HostError(
            f"Storage account connection string '{expected}' does not exist. Set {expected} in "
            f"local.settings.json. {HINT}"
        )
    return StorageAccount.parse(environ[setting], setting)


def _set_for_an_identity(candidates: Sequence[str], environ: Mapping[str, str]) -> str | None:
    """Returns the setting of an account for a managed identity, if there is one."""
    starts = tuple(f"{name}__" for name in candidates)
    ends = ("__accountname", "serviceuri")  # also blobServiceUri, queueServiceUri, tableServiceUri
    return next(
        (
            name
            for name, value in environ.items()
            if name.startswith(starts) and name.lower().endswith(ends) and value.strip()
        ),
        None,
    )


def _parts(text: str, setting: str) -> dict[str, str]:
    parts: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        name, equals, value = part.partition("=")
        if not equals:
            raise HostError(f"{setting} is not a storage connection string. {HINT}")
        parts[name.strip().lower()] = value.strip()
    return parts
