"""Reads and writes ``registry.json``: the exact files of a version, written last."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

from image_classifier.errors import ModelError

__all__ = [
    "LARGEST_VERSION_BYTES",
    "MANIFEST_FILE",
    "MOST_FILES",
    "TAGS_FILE",
    "FileRecord",
    "Manifest",
    "is_safe_path",
    "parse_manifest",
    "record_folder",
    "sha256_of",
]

MANIFEST_FILE = "registry.json"
# The tags that people give a version. No server reads it.
TAGS_FILE = "tags.json"

# A SavedModel has a handful of files; a folder with more than this is a mistake, such as a home.
MOST_FILES = 1000
# Twice the size of the largest graph; keeps one wrong blob from filling the disk of a whole plan.
LARGEST_VERSION_BYTES = 4 * 2**30

_LONGEST_PATH = 400
# A part of a path that is a plain file name on every system: no drive, stream or device of Windows,
# no hidden file, no character at the end that Windows drops.
_PART = re.compile(r"[^\x00-\x1f\x7f/\\:*?\"<>|. ][^\x00-\x1f\x7f/\\:*?\"<>|]{0,199}(?<![. ])")
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?", re.IGNORECASE)
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class FileRecord:
    """One file of a version.

    Attributes:
        path: from the version folder, with forward slashes.
        bytes: its size.
        sha256: of its content, in hexadecimal.
    """

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """The files of a version.

    Attributes:
        created: when it was registered, UTC, ISO 8601.
        files: all of them but the manifest itself and the tags.
    """

    created: str
    files: tuple[FileRecord, ...]

    def as_json(self) -> str:
        """The text of the file; ``parse_manifest`` reads it back."""
        files = {file.path: {"bytes": file.bytes, "sha256": file.sha256} for file in self.files}
        return json.dumps({"created": self.created, "files": files}, indent=2) + "\n"


def is_safe_path(path: str) -> bool:
    """Whether an untrusted path stays below the folder that it is joined to."""
    parts = path.split("/")
    return (
        len(path) <= _LONGEST_PATH
        and len(parts) <= 8
        and all(_PART.fullmatch(part) and not _DEVICE.fullmatch(part) for part in parts)
    )


def parse_manifest(text: str | bytes, *, where: str) -> Manifest:
    """Reads a ``registry.json``.

    Args:
        text: its content.
        where: its name in error messages.

    Raises:
        ModelError: it is no such file, or names a file that must not be written.
    """
    try:
        value = json.loads(text)
        created, files = value["created"], value["files"]
        records = tuple(
            FileRecord(path, file["bytes"], file["sha256"]) for path, file in files.items()
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
        raise ModelError(
            f"{where} is not the list of files that `python -m tools.models register` writes. "
            "Register the version anew, or delete this file."
        ) from exc
    for file in records:
        is_sound = (
            is_safe_path(file.path)
            and type(file.bytes) is int
            and file.bytes >= 0
            and isinstance(file.sha256, str)
            and _SHA256.fullmatch(file.sha256)
        )
        if not is_sound:
            raise ModelError(
                f"{where} lists {file.path[:200]!r}, with what cannot be a file's path, size and "
                "SHA-256. Register the version anew."
            )
    return Manifest(str(created), records)


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def record_folder(folder: Path) -> tuple[FileRecord, ...]:
    """The files in a version folder, sorted, but for hidden ones, the manifest and the tags.

    Raises:
        OSError: one cannot be read.
    """
    records = []
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        is_ours = inside.as_posix() in (MANIFEST_FILE, TAGS_FILE)
        is_hidden = any(part.startswith(".") or part == "__pycache__" for part in inside.parts)
        if path.is_file() and not is_ours and not is_hidden:
            records.append(FileRecord(inside.as_posix(), path.stat().st_size, sha256_of(path)))
    return tuple(records)
