"""Brings the files of a version from Blob Storage into a folder, and checks them."""

from __future__ import annotations

import hashlib
import shutil
from functools import partial
from pathlib import Path

from image_classifier.errors import ModelError
from image_classifier.model_files.registry_json import (
    MANIFEST_FILE,
    FileRecord,
    parse_manifest,
    sha256_of,
)
from image_classifier.stores.blob_container import BlobContainer, BlobEntry
from image_classifier.stores.blob_versions import BlobVersion
from image_classifier.stores.storage_errors import StorageError

__all__ = ["download_version", "is_whole"]

# What a full disk would break is not only this app's.
_SPARE_BYTES = 100_000_000


def download_version(container: BlobContainer, version: BlobVersion, folder: Path) -> None:
    """Writes the files of a version into an empty folder, and checks each.

    Args:
        container: where they are.
        version: which.
        folder: where to.

    Raises:
        StorageError: it cannot be downloaded as a whole and undamaged.
        OSError: a file cannot be written.
    """
    place = f"{container.location.shown}/{version.place}"
    if fault := version.fault:
        raise StorageError(f"{place} is not downloaded: {fault}.", transient=False)
    files = dict.fromkeys(version.files, "")
    if version.manifest is not None:
        text = container.read(version.manifest)
        try:
            recorded = parse_manifest(text, where=f"{place}/{MANIFEST_FILE}")
        except ModelError as exc:
            raise StorageError(exc.message, transient=False) from exc
        files = {file.path: _checked(file, version, place).sha256 for file in recorded.files}
        (folder / MANIFEST_FILE).write_bytes(text)
    free = shutil.disk_usage(folder).free
    if version.bytes + _SPARE_BYTES > free:
        raise StorageError(
            f"{place} has {version.bytes / 1e6:,.0f} MB, and {folder.parent} has room for "
            f"{max(0, free - _SPARE_BYTES) / 1e6:,.0f} MB. MODELS_CACHE_DIR can name another place."
        )
    for path, sha256 in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        container.download(version.files[path], target, sha256=sha256 or None)


def _checked(file: FileRecord, version: BlobVersion, place: str) -> FileRecord:
    blob = version.files.get(file.path)
    if blob is None or blob.size != file.bytes:
        found = "is missing" if blob is None else f"has {blob.size:,} bytes, not {file.bytes:,}"
        raise StorageError(
            f"{place} is not as it was registered: {file.path} {found}. Register the version "
            "anew, under a new number.",
            transient=False,
        )
    return file


def is_whole(version: BlobVersion, folder: Path, *, check: bool) -> bool:
    """Whether a folder still has what was downloaded: some systems clear old temporary files.

    Args:
        version: which.
        folder: where it was downloaded to.
        check: not only the sizes, but the checksums.
    """
    files = {path: FileRecord(path, blob.size, "") for path, blob in version.files.items()}
    try:
        if version.manifest is not None:
            text = (folder / MANIFEST_FILE).read_bytes()
            files = {file.path: file for file in parse_manifest(text, where="").files}
        return all(
            (folder / path).stat().st_size == file.bytes
            and (not check or _is_sound(folder / path, file.sha256, version.files.get(path)))
            for path, file in files.items()
        )
    except (OSError, ModelError):
        return False


def _is_sound(file: Path, sha256: str, blob: BlobEntry | None) -> bool:
    """Whether it has the SHA-256 that was recorded, else the MD5 that the storage has, if any."""
    if sha256 or blob is None or blob.md5 is None:
        return not sha256 or sha256_of(file) == sha256
    with file.open("rb") as stream:
        md5 = hashlib.file_digest(stream, partial(hashlib.md5, usedforsecurity=False))
    return md5.digest() == blob.md5
