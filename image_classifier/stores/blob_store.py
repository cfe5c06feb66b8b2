"""Lists models on Azure Blob Storage, and downloads a version when it is loaded.

A new version is loaded, hence downloaded into the cache, in the background, while the one before it
answers. While the storage cannot be reached, the last listing counts, and after a restart the
content of the cache.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Collection, Mapping
from functools import partial
from pathlib import Path

from image_classifier.errors import ModelError
from image_classifier.stores.blob_container import BlobContainer, Listing
from image_classifier.stores.blob_download import download_version, is_whole
from image_classifier.stores.blob_location import BlobLocation
from image_classifier.stores.blob_versions import BlobVersion, versions_in
from image_classifier.stores.download_cache import ModelCache
from image_classifier.stores.storage_errors import StorageError

__all__ = ["BlobStore"]

logger = logging.getLogger(__name__)

_RETRY_SECONDS = 30.0


class BlobStore:
    """A store of models, for a ``Repository``. Safe to share among threads.

    Args:
        location: the part of a container that holds them.
        cache_dir: the folder that keeps downloaded versions.
        poll_seconds: between two listings.
    """

    def __init__(self, location: BlobLocation, cache_dir: Path, *, poll_seconds: float) -> None:
        self.display_name = location.shown
        self._container = BlobContainer(location)
        self._cache = ModelCache(cache_dir, location.shown)
        self._poll_seconds = poll_seconds
        self._lock = threading.Lock()
        self._due = 0.0  # time.monotonic() of the next listing
        self._folders: dict[str, dict[int, Path]] | None = None
        self._origins: dict[Path, BlobOrigin] = {}
        self._changed_ns = 0
        self._error: str | None = None

    def names(self) -> Collection[str]:
        """The names of the models that have a version."""
        return self._listed().keys()

    def versions(self, name: str) -> dict[int, Path]:
        """The folder in the cache of each version, highest first, whether it exists or not."""
        return self._listed().get(name, {})

    def last_changed_ns(self, name: str) -> int:
        """When a listing last differed from the one before it."""
        self._listed()
        return self._changed_ns

    def origin(self, folder: Path) -> BlobOrigin | None:
        """Downloads a version; None for one found in the cache while the storage was away."""
        return self._origins.get(folder)

    def error(self) -> str | None:
        """Why the last listing failed; None if it did not."""
        self._listed()
        return self._error

    def not_found_hint(self, name: str) -> str:
        """Empty: there is no usual mistake."""
        return ""

    def _listed(self) -> Mapping[str, dict[int, Path]]:
        """The last listing: the first caller waits for it, later ones have it renewed."""
        folders = self._folders
        if folders is None:
            with self._lock:
                if self._folders is None:
                    self._list()
                return self._folders or {}
        if time.monotonic() >= self._due and self._lock.acquire(blocking=False):
            self._due = time.monotonic() + self._poll_seconds
            threading.Thread(
                target=self._list_in_background, name="list models", daemon=True
            ).start()
        return folders

    def _list_in_background(self) -> None:
        try:
            self._list()
        except Exception:  # the last listing still counts
            logger.exception("cannot list %s", self.display_name)
        finally:
            self._lock.release()  # acquired by the caller that started this thread

    def _list(self) -> None:
        error = None
        try:
            folders = self._complete_versions(self._container.list())
        except StorageError as exc:
            error = exc.message
            # Before the first listing, the downloaded versions are served.
            folders = self._cache.versions() if self._folders is None else self._folders
        if error != self._error:
            logger.log(
                logging.WARNING if error else logging.INFO,
                "%s",
                error or f"{self.display_name} answers again.",
            )
        self._error = error
        if folders != self._folders:
            self._folders, self._changed_ns = folders, time.time_ns()
        self._due = time.monotonic() + self._poll_seconds

    def _complete_versions(self, listing: Listing) -> dict[str, dict[int, Path]]:
        folders: dict[str, dict[int, Path]] = {}
        origins = {}
        for name, versions in versions_in(listing).items():
            for number, version in sorted(versions.items(), reverse=True):
                if version.is_complete(listing.now):
                    folder = self._cache.folder(name, number, version.key)
                    folders.setdefault(name, {})[number] = folder
                    # Kept, because it remembers a failed download.
                    known = self._origins.get(folder)
                    origins[folder] = known or BlobOrigin(
                        version, folder, self._container, self._cache
                    )
        self._origins = origins
        return folders


class BlobOrigin:
    """The source of the files of one version.

    Args:
        version: its blobs.
        folder: the version's folder in the cache.
        container: holds the blobs.
        cache: holds the folder.
    """

    def __init__(
        self, version: BlobVersion, folder: Path, container: BlobContainer, cache: ModelCache
    ) -> None:
        self._version = version
        self._folder = folder
        self._container = container
        self._cache = cache
        self._tries = 0
        self._again_at: float | None = None

    def fetch(self, *, check: bool = False) -> None:
        """Downloads the version, unless its folder is complete.

        Args:
            check: compare not only the sizes of existing files, but their checksums.

        Raises:
            ModelError: the download failed; the message names the blob and the cause.
        """
        started = time.perf_counter()
        write = partial(download_version, self._container, self._version)
        try:
            is_complete = partial(is_whole, self._version, check=check)
            is_new = self._cache.fill(self._folder, write, is_complete)
        except (StorageError, ModelError) as exc:
            if not isinstance(exc, StorageError) or exc.transient:
                self._again_at = time.monotonic() + _RETRY_SECONDS
            raise ModelError(exc.message) from None
        if is_new:
            took = time.perf_counter() - started
            megabytes = self._version.bytes / 1e6
            name, number = self._version.name, self._version.number
            logger.info("downloaded %s/%s: %.1f MB in %.1f s", name, number, megabytes, took)

    def state(self) -> object:
        """Changes when a failed download is worth another try."""
        if self._again_at is not None and time.monotonic() >= self._again_at:
            self._tries, self._again_at = self._tries + 1, None
        return self._tries
