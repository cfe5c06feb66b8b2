"""Implements a registry on Azure Blob Storage, which the app reads as ``MODELS_DIR``.

A version is uploaded file by file, the weights after all others, and ``registry.json`` at the end:
only then a server uses it. A version is deleted in the reverse order, the weights first.
"""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from image_classifier.engines.registry import weights_files
from image_classifier.errors import ModelError
from image_classifier.model_files.registry_json import (
    MANIFEST_FILE,
    TAGS_FILE,
    Manifest,
    parse_manifest,
    record_folder,
)
from image_classifier.stores.blob_container import BlobContainer, Listing
from image_classifier.stores.blob_download import download_version
from image_classifier.stores.blob_location import BlobLocation
from image_classifier.stores.blob_versions import QUIET_SECONDS, BlobVersion, versions_in
from image_classifier.stores.storage_errors import StorageError, translate_errors
from tools.models.blob_version_numbers import note_deleted, read_notes
from tools.models.folder_registry import now, parse_time
from tools.models.registry import (
    StoredFile,
    Version,
    check_name,
    check_version,
    parse_tags,
    tags_as_json,
)
from tools.shared.errors import ToolError
from tools.shared.version_numbers import next_number

__all__ = ["BlobRegistry"]

CONNECTIONS = 4


class BlobRegistry:
    """Versions as blobs ``<name>/<version>/…`` below a location.

    Args:
        location: the container and the prefix.
    """

    def __init__(self, location: BlobLocation) -> None:
        self.where = location.shown
        self._location = location
        self._container = BlobContainer(location)
        self._listing: Listing | None = None  # kept until the command writes

    def names(self) -> list[str]:
        """See ``Registry.names``."""
        return sorted(self._list()[1])

    def versions(self, name: str) -> list[Version]:
        """See ``Registry.versions``."""
        listing, models = self._list()
        versions = sorted(models.get(name, {}).items(), reverse=True)
        with ThreadPoolExecutor(CONNECTIONS) as pool:  # each version needs two small blobs
            return list(pool.map(lambda each: self._version(each[1], listing), versions))

    def model_tags(self, name: str) -> dict[str, str]:
        """See ``Registry.model_tags``."""
        path = f"{name}/{TAGS_FILE}"
        listing, _ = self._list()
        blob = next((blob for blob in listing.blobs if blob.name == path), None)
        return parse_tags(self._container.read(blob) if blob else None)

    def register(
        self, folder: Path, *, name: str, version: int | None, tags: Mapping[str, str]
    ) -> Version:
        """See ``Registry.register``."""
        check_name(name)
        check_version(version)
        existing = self._list()[1].get(name, {})
        if version in existing:
            raise ToolError(
                f"{name}/{version} is there already, and versions are never overwritten: register "
                f"without --version to get the next free one ({self._next(name)})."
            )
        number = self._next(name) if version is None else version
        self._upload(folder, f"{name}/{number}", tags)
        return next(each for each in self.versions(name) if each.number == number)

    def set_tags(self, name: str, version: int | None, tags: Mapping[str, str]) -> None:
        """See ``Registry.set_tags``."""
        place = name if version is None else self._blobs_of(name, version).path
        path = f"{place}/{TAGS_FILE}"
        if tags:
            self._put(path, tags_as_json(tags).encode(), overwrite=True)
        else:
            self._delete([path])

    def delete(self, version: Version) -> None:
        """See ``Registry.delete``."""
        blobs = self._blobs_of(version.name, version.number)
        note_deleted(self._container, version.name, version.number)
        last = [blob.name for blob in (blobs.tags, blobs.manifest) if blob]
        weights = [name for name in weights_files() if name in blobs.files]
        others = [name for name in blobs.files if name not in weights]
        names = [blobs.files[name].name for name in (*weights, *others)]
        self._delete([*names, *last])

    def read(self, version: Version, path: str) -> bytes | None:
        """See ``Registry.read``."""
        blob = self._blobs_of(version.name, version.number).files.get(path)
        return self._container.read(blob) if blob else None

    def with_checksums(self, version: Version) -> Version:
        """See ``Registry.with_checksums``."""
        return version

    @contextlib.contextmanager
    def working_copy(self, version: Version) -> Iterator[Path]:
        """See ``Registry.working_copy``."""
        with tempfile.TemporaryDirectory(prefix="model-") as temporary:
            folder = Path(temporary)
            blobs = self._blobs_of(version.name, version.number)
            download_version(self._container, blobs, folder)
            before = {file.path: file for file in record_folder(folder)}
            yield folder
            after = record_folder(folder)
            changed = [file.path for file in after if before.get(file.path) != file]
            for path in changed:
                self._put_file(f"{blobs.path}/{path}", folder / path, overwrite=True)
            if changed:
                created = version.created.isoformat(timespec="seconds")
                text = Manifest(created, after).as_json()
                self._put(f"{blobs.path}/{MANIFEST_FILE}", text.encode(), overwrite=True)

    def _next(self, name: str) -> int:
        notes, _ = read_notes(self._container)
        return next_number(name, self._list()[1].get(name, {}), notes)

    def _list(self) -> tuple[Listing, dict[str, dict[int, BlobVersion]]]:
        listing = self._listing = self._listing or self._container.list()
        return listing, versions_in(listing)

    def _blobs_of(self, name: str, number: int) -> BlobVersion:
        blobs = self._list()[1].get(name, {}).get(number)
        if blobs is None:
            raise ToolError(f"{name}/{number} is not in {self.where} any more.")
        return blobs

    def _version(self, blobs: BlobVersion, listing: Listing) -> Version:
        recorded: dict[str, str] = {}
        created, problem = None, blobs.fault
        if not blobs.files.keys() & set(weights_files()):
            problem = f"it has no {' or '.join(weights_files())}"
        elif not blobs.is_complete(listing.now):
            problem = f"it was uploaded less than {QUIET_SECONDS} s ago, and has no {MANIFEST_FILE}"
        if blobs.manifest:
            where = f"{blobs.path}/{MANIFEST_FILE}"
            try:
                manifest = parse_manifest(self._container.read(blobs.manifest), where=where)
                recorded = {file.path: file.sha256 for file in manifest.files}
                created = parse_time(manifest.created)
            except ModelError as exc:
                problem = exc.message
        files = (
            StoredFile(path, blob.size, recorded.get(path)) for path, blob in blobs.files.items()
        )
        tags = parse_tags(self._container.read(blobs.tags) if blobs.tags else None)
        when = created or blobs.changed or listing.now
        return Version(blobs.name, blobs.number, tuple(files), when, tags, problem)

    def _upload(self, folder: Path, place: str, tags: Mapping[str, str]) -> None:
        files = record_folder(folder)
        weights = set(weights_files())
        try:
            # This blob claims the number: of two concurrent commands one finds it there.
            self._put(f"{place}/{TAGS_FILE}", tags_as_json(tags).encode())
        except StorageError as exc:
            raise ToolError(f"{exc.message} Does another command register {place}?") from None
        try:
            in_order = sorted(files, key=lambda file: (file.path in weights, file.path))
            total = sum(file.bytes for file in files)
            # disable=None: on terminals only.
            with tqdm(total=total, unit="B", unit_scale=True, disable=None) as bar:
                for file in in_order:
                    self._put_file(f"{place}/{file.path}", folder / file.path, bar=bar)
            self._put(f"{place}/{MANIFEST_FILE}", Manifest(now(), files).as_json().encode())
        except BaseException:
            with contextlib.suppress(StorageError):  # `delete` can remove it later
                written = [f"{place}/{file.path}" for file in files]
                self._delete([*reversed(written), f"{place}/{TAGS_FILE}"])
            raise

    def _put(self, path: str, content: bytes, *, overwrite: bool = False) -> None:
        self._listing = None
        with translate_errors(self._location, path, writing=True):
            name = self._location.prefix + path
            self._container.client.upload_blob(name, content, overwrite=overwrite)

    def _put_file(
        self, path: str, file: Path, *, overwrite: bool = False, bar: tqdm[Any] | None = None
    ) -> None:
        from azure.storage.blob import ContentSettings

        self._listing = None
        with file.open("rb") as stream, translate_errors(self._location, path, writing=True):
            md5 = hashlib.file_digest(stream, partial(hashlib.md5, usedforsecurity=False))
            stream.seek(0)
            before = bar.n if bar else 0

            def progress(sent: int, _: int | None) -> None:
                if bar:
                    bar.update(before + sent - bar.n)

            self._container.client.upload_blob(
                self._location.prefix + path,
                stream,
                overwrite=overwrite,
                max_concurrency=CONNECTIONS,
                progress_hook=progress,
                content_settings=ContentSettings(content_md5=bytearray(md5.digest())),
            )

    def _delete(self, paths: Iterable[str]) -> None:
        from azure.core.exceptions import ResourceNotFoundError

        self._listing = None
        for path in paths:
            with (
                translate_errors(self._location, path, writing=True),
                contextlib.suppress(ResourceNotFoundError),
            ):
                self._container.client.delete_blob(self._location.prefix + path)
