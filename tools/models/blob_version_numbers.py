"""Records the numbers of deleted versions in one blob, safe against concurrent changes."""

from __future__ import annotations

from typing import Any

from image_classifier.stores.blob_container import BlobContainer
from image_classifier.stores.storage_errors import translate_errors
from tools.shared.errors import ToolError
from tools.shared.version_numbers import NOTES_FILE, as_notes, noted, parse_notes

__all__ = ["note_deleted", "read_notes"]

TRIES = 10


def read_notes(container: BlobContainer) -> tuple[dict[str, int], str | None]:
    """Reads the highest deleted number of each model, and the ETag of the blob.

    Raises:
        ToolError: the blob has another content.
        StorageError: the blob cannot be read.
    """
    from azure.core.exceptions import ResourceNotFoundError

    with translate_errors(container.location, NOTES_FILE):
        try:
            stream = container.client.download_blob(f"{container.location.prefix}{NOTES_FILE}")
            text, etag = stream.readall(), stream.properties.etag
        except ResourceNotFoundError:
            return {}, None
    return parse_notes(text, where=f"{container.location.shown}/{NOTES_FILE}"), etag


def note_deleted(container: BlobContainer, name: str, number: int) -> None:
    """Records a number before the version is deleted, so that no other version gets it.

    Raises:
        ToolError: the blob has another content, or others change it all the time.
        StorageError: the blob cannot be read or written.
    """
    for _ in range(TRIES):
        before, etag = read_notes(container)
        after = noted(before, name, number)
        if after == before or _put(container, as_notes(after), etag):
            return
    raise ToolError(
        f"{container.location.shown}/{NOTES_FILE} is changed by others all the time. Try again."
    )


def _put(container: BlobContainer, text: str, etag: str | None) -> bool:
    """Writes the blob unless it was changed since it was read; returns whether it did."""
    from azure.core import MatchConditions
    from azure.core.exceptions import ResourceExistsError, ResourceModifiedError

    unless: dict[str, Any] = {"overwrite": False}
    if etag is not None:
        condition = MatchConditions.IfNotModified
        unless = {"overwrite": True, "etag": etag, "match_condition": condition}
    with translate_errors(container.location, NOTES_FILE, writing=True):
        try:
            name = f"{container.location.prefix}{NOTES_FILE}"
            container.client.upload_blob(name, text.encode(), **unless)
        except (ResourceExistsError, ResourceModifiedError):
            return False
    return True
