"""Groups blobs into versions of models, and tells which versions are complete.

A version that ``tools.models`` uploads gets its weights after all other files, and at the very end
its manifest: with that it is complete. A version that another tool uploads has no manifest. It is
complete when it has weights and none of its blobs was written for a while.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from image_classifier.engines.registry import weights_files
from image_classifier.model_files.names import MODEL_NAME, VERSION
from image_classifier.model_files.registry_json import (
    LARGEST_VERSION_BYTES,
    MANIFEST_FILE,
    MOST_FILES,
    TAGS_FILE,
    is_safe_path,
)
from image_classifier.stores.blob_container import BlobEntry, Listing

__all__ = ["QUIET_SECONDS", "BlobVersion", "versions_in"]

# Longer than other tools take between two files of one model.
QUIET_SECONDS = 30


@dataclass(frozen=True)
class BlobVersion:
    """One version of a model on Blob Storage.

    Attributes:
        name: of the model.
        number: of the version.
        files: the blobs to download, by their path from the version folder.
        manifest: the list of files, if there is one.
        tags: the blob with its tags, if there is one.
        folder_name: the number as its folder has it, such as ``01``; empty: the plain number.
    """

    name: str
    number: int
    files: Mapping[str, BlobEntry] = field(default_factory=dict)
    manifest: BlobEntry | None = None
    tags: BlobEntry | None = None
    folder_name: str = ""

    @property
    def path(self) -> str:
        """The beginning of the names of its blobs, before a slash."""
        return f"{self.name}/{self.folder_name or self.number}"

    @property
    def key(self) -> str:
        """Twelve letters that change when a file is written, added or removed."""
        blobs = [*self.files.values(), *([self.manifest] if self.manifest else [])]
        text = "\n".join(f"{blob.name}\t{blob.etag}\t{blob.size}" for blob in blobs)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]

    @property
    def bytes(self) -> int:
        """The size of all files."""
        return sum(blob.size for blob in self.files.values())

    @property
    def changed(self) -> datetime | None:
        """When a file of it was last written."""
        return max((blob.changed for blob in self.files.values()), default=None)

    def is_complete(self, now: datetime) -> bool:
        """Whether a server should load it.

        Args:
            now: by the storage's clock.
        """
        if not self.files.keys() & set(weights_files()):
            return False
        quiet = timedelta(seconds=QUIET_SECONDS)
        return self.manifest is not None or (self.changed or now) <= now - quiet

    @property
    def fault(self) -> str | None:
        """Why it must not be downloaded; None if it may be."""
        if bad := next((path for path in self.files if not is_safe_path(path)), None):
            return f"it has a blob whose name cannot be a file's: {bad[:200]!r}"
        if both := sorted(self.files.keys() & _folders(self.files)):
            return f"{both[0]!r} is a file and a folder in it"
        if len(self.files) > MOST_FILES or self.bytes > LARGEST_VERSION_BYTES:
            return (
                f"it has {len(self.files):,} files and {self.bytes / 1e6:,.0f} MB; at most "
                f"{MOST_FILES:,} and {LARGEST_VERSION_BYTES / 1e6:,.0f} MB are allowed"
            )
        return None


def versions_in(listing: Listing) -> dict[str, dict[int, BlobVersion]]:
    """Every version, complete or not, by model and number."""
    grouped: defaultdict[tuple[str, str], dict[str, BlobEntry]] = defaultdict(dict)
    for blob in listing.blobs:
        name, _, rest = blob.name.partition("/")
        number, slash, path = rest.partition("/")
        # Some tools and some accounts have folders as empty blobs.
        is_folder = path.endswith("/") and not blob.size
        is_version = MODEL_NAME.fullmatch(name) and VERSION.fullmatch(number) and slash and path
        if is_version and not is_folder and not _is_hidden(path):
            grouped[name, number][path] = blob
    versions: dict[str, dict[int, BlobVersion]] = {}
    for (name, number), files in sorted(grouped.items()):
        # Where there are 01 and 1, the plain number comes last and wins.
        manifest, tags = files.pop(MANIFEST_FILE, None), files.pop(TAGS_FILE, None)
        folders = {path for path in files.keys() & _folders(files) if not files[path].size}
        kept = {path: blob for path, blob in files.items() if path not in folders}
        version = BlobVersion(name, int(number), kept, manifest, tags, number)
        versions.setdefault(name, {})[int(number)] = version
    return versions


def _is_hidden(path: str) -> bool:
    """Whether it is a hidden file of a desktop, such as .DS_Store."""
    parts = path.split("/")
    return any(part.startswith(".") for part in parts) and not {".", ".."} & set(parts)


def _folders(paths: Iterable[str]) -> set[str]:
    """Every folder that one of the paths is in."""
    return {
        "/".join(parts[:depth])
        for parts in (path.split("/") for path in paths)
        for depth in range(1, len(parts))
    }
