"""Models on Azure Blob Storage: listed now and then, downloaded when they are wanted.

The listing says which versions there are. A version's files come into the cache when it is loaded,
which for a new version is in the background, while the one before it answers. While the storage is
away, what was listed counts on, and after a restart what is in the cache.
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
    """A place with models, for a ``Repository``. Safe to share among threads.

    Args:
        location: where they are.
        cache_dir: where downloaded versions are kept.
        poll_seconds: between two listings.
    """

    def __init__(self, location: BlobLocation, cache_dir: Path, *, poll_seconds: float) -> None:
        self.display_name = location.shown
        self._container = BlobContainer(location)
        self._cache = ModelCache(cache_dir, location.shown)
        self._poll_seconds = poll_seconds
        self._lock = threading.Lock()
        self._due = 0.0  # when to list next, by the clock that does not jump
        self._folders: dict[str, dict[int, Path]] | None = None
        self._origins: dict[Path, BlobOrigin] = {}
        self._changed_ns = 0
        self._trouble: str | None = None

    def names(self) -> Collection[str]:
        """The models that have a version."""
        return self._listed().keys()

    def versions(self, name: str) -> dict[int, Path]:
        """The folder in the cache of each version, highest first, whether it is there or not."""
        return self._listed().get(name, {})

    def last_changed_ns(self, name: str) -> int:
        """When a listing last differed from the one before it."""
        self._listed()
        return self._changed_ns

    def origin(self, folder: Path) -> BlobOrigin | None:
        """What downloads a version; None for one that was in the cache when nobody answered."""
        return self._origins.get(folder)

    def error(self) -> str | None:
        """Why the last listing failed; None if it did not."""
        self._listed()
        return self._trouble

    def not_found_hint(self, name: str) -> str:
        """Nothing."""
        return ""

    def _listed(self) -> Mapping[str, dict[int, Path]]:
        """What there is: the first caller waits for it, later ones have it renewed behind them."""
        folders = self._folders
        if folders is None:
            with self._lock:
                if self._folders is None:
                    self._list()
                return self._folders or {}
        if time.monotonic() >= self._due and self._lock.acquire(blocking=False):
            self._due = time.monotonic() + self._poll_seconds
            threading.Thread(target=self._list_behind, name="list models", daemon=True).start()
        return folders

    def _list_behind(self) -> None:
        try:
            self._list()
        except Exception:  # what was listed before counts on
            logger.exception("cannot list %s", self.display_name)
        finally:
            self._lock.release()  # taken by whoever started this

    def _list(self) -> None:
        trouble = None
        try:
            folders = self._take(self._container.list())
        except StorageError as exc:
            trouble = exc.message
            # If nothing was ever listed, what was downloaded once is served.
            folders = self._cache.versions() if self._folders is None else self._folders
        if trouble != self._trouble:
            logger.log(
                logging.WARNING if trouble else logging.INFO,
                "%s",
                trouble or f"{self.display_name} answers again.",
            )
        self._trouble = trouble
        if folders != self._folders:
            self._folders, self._changed_ns = folders, time.time_ns()
        self._due = time.monotonic() + self._poll_seconds

    def _take(self, listing: Listing) -> dict[str, dict[int, Path]]:
        folders: dict[str, dict[int, Path]] = {}
        origins = {}
        for name, versions in versions_in(listing).items():
            for number, version in sorted(versions.items(), reverse=True):
                if version.is_complete(listing.now):
                    folder = self._cache.folder(name, number, version.key)
                    folders.setdefault(name, {})[number] = folder
                    # Kept, for it knows when a download failed.
                    known = self._origins.get(folder)
                    origins[folder] = known or BlobOrigin(
                        version, folder, self._container, self._cache
                    )
        self._origins = origins
        return folders


class BlobOrigin:
    """Where the files of one version come from.

    Args:
        version: its blobs.
        folder: where they belong in the cache.
        container: where the blobs are.
        cache: has the folder.
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
        """Downloads the version, unless it is there already.

        Args:
            check: not only the sizes of what is there, but its checksums.

        Raises:
            ModelError: that failed; the message says which blob, and why.
        """
        started = time.perf_counter()
        write = partial(download_version, self._container, self._version)
        try:
            is_there = partial(is_whole, self._version, check=check)
            is_new = self._cache.fill(self._folder, write, is_there)
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
        """Changes when it is worth the while to try again what failed."""
        if self._again_at is not None and time.monotonic() >= self._again_at:
            self._tries, self._again_at = self._tries + 1, None
        return self._tries
