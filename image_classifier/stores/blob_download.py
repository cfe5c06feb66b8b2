"""Downloads the files of a version from Blob Storage into a folder, and checks them."""

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

# A full disk would break more than this app.
_SPARE_BYTES = 100_000_000


def download_version(container: BlobContainer, version: BlobVersion, folder: Path) -> None:
    """Writes the files of a version into an empty folder, and checks each.

    Args:
        container: holds the blobs.
        version: names them.
        folder: gets the files.

    Raises:
        StorageError: it cannot be downloaded completely and undamaged.
        OSError: a file cannot be written.
    """
    address = f"{container.location.shown}/{version.path}"
    if fault := version.fault:
        raise StorageError(f"{address} is not downloaded: {fault}.", transient=False)
    files = dict.fromkeys(version.files, "")
    if version.manifest is not None:
        text = container.read(version.manifest)
        try:
            recorded = parse_manifest(text, where=f"{address}/{MANIFEST_FILE}")
        except ModelError as exc:
            raise StorageError(exc.message, transient=False) from exc
        files = {file.path: _checked(file, version, address).sha256 for file in recorded.files}
        (folder / MANIFEST_FILE).write_bytes(text)
    free = shutil.disk_usage(folder).free
    if version.bytes + _SPARE_BYTES > free:
        raise StorageError(
            f"{address} has {version.bytes / 1e6:,.0f} MB, and {folder.parent} has room for "
            f"{max(0, free - _SPARE_BYTES) / 1e6:,.0f} MB. MODELS_CACHE_DIR can name another place."
        )
    for path, sha256 in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        container.download(version.files[path], target, sha256=sha256 or None)


def _checked(file: FileRecord, version: BlobVersion, address: str) -> FileRecord:
    blob = version.files.get(file.path)
    if blob is None or blob.size != file.bytes:
        fault = "is missing" if blob is None else f"has {blob.size:,} bytes, not {file.bytes:,}"
        raise StorageError(
            f"{address} is not as it was registered: {file.path} {fault}. Register the version "
            "anew, under a new number.",
            transient=False,
        )
    return file


def is_whole(version: BlobVersion, folder: Path, *, check: bool) -> bool:
    """Whether a folder still has all downloaded files: some systems clear old temporary files.

    Args:
        version: names the files.
        folder: the downloaded version.
        check: compare not only the sizes, but the checksums.
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
    """Whether it has the recorded SHA-256, or else the MD5 that the storage has, if any."""
    if sha256 or blob is None or blob.md5 is None:
        return not sha256 or sha256_of(file) == sha256
    with file.open("rb") as stream:
        md5 = hashlib.file_digest(stream, partial(hashlib.md5, usedforsecurity=False))
    return md5.digest() == blob.md5
