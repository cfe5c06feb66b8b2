"""Lists and reads one container of Azure Blob Storage.

This and ``storage_errors`` are the only modules that know Azure's clients for storage and
identities. The clients are imported when an app keeps its models there, and not before.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from image_classifier.stores.blob_location import BlobLocation
from image_classifier.stores.storage_errors import StorageError, translate_errors

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

__all__ = ["BlobContainer", "BlobEntry", "Listing"]

# Pinned: Azurite lags behind the SDK's newest API version.
_API_VERSION = "2021-12-02"
_CONNECT_SECONDS = 5
_READ_SECONDS = 30
# Two requests' worth of names. A store that holds only models has fewer.
MOST_BLOBS = 10_000
# For small files that are read into memory: labels, manifests.
_MOST_BYTES_IN_MEMORY = 4 * 2**20


@dataclass(frozen=True)
class BlobEntry:
    """One blob, as a listing has it.

    Attributes:
        name: from the location's prefix.
        size: in bytes.
        etag: changes with each write.
        md5: of its content, if it was recorded at the upload.
        changed: the time of the last write, by the storage's clock.
    """

    name: str
    size: int
    etag: str
    md5: bytes | None
    changed: datetime


@dataclass(frozen=True)
class Listing:
    """All blobs below the location's prefix.

    Attributes:
        blobs: sorted by name.
        now: the time, by the storage's clock.
    """

    blobs: tuple[BlobEntry, ...]
    now: datetime


class BlobContainer:
    """Reads blobs. Safe to share among threads.

    Args:
        location: the part of a container to read.

    Attributes:
        location: likewise.
    """

    def __init__(self, location: BlobLocation) -> None:
        self.location = location
        self._client: ContainerClient | None = None

    @property
    def client(self) -> ContainerClient:
        """Azure's client, made on first use; call it inside ``translate_errors``."""
        if self._client is None:
            self._client = _make_client(self.location)
        return self._client

    def list(self) -> Listing:
        """Lists all blobs, with one request for each 5,000.

        Raises:
            StorageError: the listing failed, or there are too many blobs.
        """
        prefix = self.location.prefix
        dates: list[str] = []

        def note_date(response: Any) -> None:
            dates.append(response.http_response.headers.get("Date", ""))

        blobs: list[BlobEntry] = []
        with translate_errors(self.location):
            for blob in self.client.list_blobs(prefix or None, raw_response_hook=note_date):
                if len(blobs) == MOST_BLOBS:
                    raise StorageError(
                        f"{self.location.shown} has more than {MOST_BLOBS:,} blobs. Let MODELS_DIR "
                        "name a folder in it that holds models only.",
                        transient=False,
                    )
                md5 = blob.content_settings.content_md5
                blobs.append(
                    BlobEntry(
                        blob.name.removeprefix(prefix),
                        blob.size,
                        blob.etag,
                        bytes(md5) if md5 else None,
                        blob.last_modified,
                    )
                )
        return Listing(tuple(blobs), _time(dates))

    def read(self, blob: BlobEntry) -> bytes:
        """The content of a small blob.

        Raises:
            StorageError: it cannot be read, or is too large.
        """
        if blob.size > _MOST_BYTES_IN_MEMORY:
            raise StorageError(
                f"{self._shown(blob)} has {blob.size:,} bytes; at most {_MOST_BYTES_IN_MEMORY:,} "
                "are allowed.",
                transient=False,
            )
        return b"".join(self._chunks(blob))

    def download(self, blob: BlobEntry, target: Path, *, sha256: str | None = None) -> None:
        """Writes a blob to a file, and compares its checksum.

        Args:
            blob: the blob.
            target: the file.
            sha256: the expected one; None: the MD5 that the storage has is compared, if any.

        Raises:
            StorageError: it cannot be read, or it is damaged.
            OSError: the file cannot be written.
        """
        digest = hashlib.sha256()
        md5 = hashlib.md5(usedforsecurity=False)
        with target.open("wb") as stream:
            for chunk in self._chunks(blob):
                stream.write(chunk)
                digest.update(chunk)
                md5.update(chunk)
        is_sound = md5.digest() == blob.md5 if sha256 is None else digest.hexdigest() == sha256
        if not is_sound and (sha256 or blob.md5):
            raise StorageError(
                f"{self._shown(blob)} is damaged: its {'SHA-256' if sha256 else 'MD5'} is not the "
                "one recorded. Register the version anew, under a new number.",
                transient=False,
            )

    def _chunks(self, blob: BlobEntry) -> Iterator[bytes]:
        from azure.core import MatchConditions

        left = blob.size
        with translate_errors(self.location, blob.name):
            stream = self.client.download_blob(
                self.location.prefix + blob.name,
                etag=blob.etag,
                match_condition=MatchConditions.IfNotModified,
            )
            for chunk in stream.chunks():
                left -= len(chunk)
                if left < 0:
                    break
                yield chunk
        if left:
            raise StorageError(f"{self._shown(blob)} did not arrive as a whole.")

    def _shown(self, blob: BlobEntry) -> str:
        return f"{self.location.shown}/{blob.name}"


def _make_client(location: BlobLocation) -> ContainerClient:
    from azure.storage.blob import ContainerClient, LinearRetry

    for name in ("azure.core.pipeline.policies.http_logging_policy", "azure.identity"):
        logging.getLogger(name).setLevel(logging.WARNING)  # a line for each request otherwise
    account = location.account
    credential: Any = account.sas or None
    if account.key:
        credential = {"account_name": account.name, "account_key": account.key}
    elif account.identity and not account.sas:
        from azure.identity import DefaultAzureCredential

        client_id = account.client_id or None
        credential = DefaultAzureCredential(managed_identity_client_id=client_id)
    return ContainerClient(
        account.url,
        location.container,
        credential=credential,
        api_version=_API_VERSION,
        # The default waits for a minute and a half before it reports that nothing answers.
        retry_policy=LinearRetry(backoff=1, retry_total=2, random_jitter_range=0),
        # One request must end within the time below, over a slow line too.
        max_single_put_size=4 * 2**20,
        connection_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
    )


def _time(dates: list[str]) -> datetime:
    """The time by the storage's clock; this machine's may be wrong."""
    with contextlib.suppress(ValueError, IndexError):
        return parsedate_to_datetime(dates[-1])
    return datetime.now(UTC)
