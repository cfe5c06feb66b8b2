"""Defines the interface of registries, on disks and on Blob Storage, and their data."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

from image_classifier.engines.registry import ENGINES
from image_classifier.model_files.names import MODEL_NAME, MOST_VERSION_DIGITS
from tools.shared.errors import ToolError

__all__ = [
    "Registry",
    "StoredFile",
    "Version",
    "changed_tags",
    "check_name",
    "check_version",
    "parse_tags",
    "tags_as_json",
]

_TAG_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
LONGEST_TAG = 500


@dataclass(frozen=True)
class StoredFile:
    """One file of a version.

    Attributes:
        path: from the version folder, with forward slashes.
        bytes: its size.
        sha256: as recorded at registration; None without a record.
    """

    path: str
    bytes: int
    sha256: str | None = None


@dataclass(frozen=True)
class Version:
    """One version of a model.

    Attributes:
        name: of the model.
        number: of the version.
        files: all but those of the registry.
        created: the time of registration; without one, that of the newest file.
        tags: key -> value, as people set them.
        problem: the reason why no server would use the version, or None.
    """

    name: str
    number: int
    files: tuple[StoredFile, ...]
    created: datetime
    tags: Mapping[str, str] = field(default_factory=dict)
    problem: str | None = None

    @property
    def bytes(self) -> int:
        """The size of all files."""
        return sum(file.bytes for file in self.files)

    @property
    def engines(self) -> list[str]:
        """The engines that ENGINE=auto would try, in order: the first for each file of weights."""
        paths = {file.path for file in self.files}
        first = {file: kind.name for kind in [*ENGINES.values()][::-1] for file in kind.weights}
        usable = {first[path] for path in paths & first.keys()}
        return [name for name in ENGINES if name in usable]

    def __str__(self) -> str:
        return f"{self.name}/{self.number}"


class Registry(Protocol):
    """Models and their versions.

    Attributes:
        where: the folder or the container, without secrets.
    """

    where: str

    def names(self) -> list[str]:
        """Lists the models that have a version, sorted."""
        ...

    def versions(self, name: str) -> list[Version]:
        """Lists the versions of one model, highest first; empty if there is no such model."""
        ...

    def model_tags(self, name: str) -> dict[str, str]:
        """Reads the tags of a model."""
        ...

    def register(
        self, folder: Path, *, name: str, version: int | None, tags: Mapping[str, str]
    ) -> Version:
        """Adds the files of a folder as a version, in one step.

        Args:
            folder: from ``candidate.gather``.
            name: of the model.
            version: None means the next free number.
            tags: of the version.
        """
        ...

    def set_tags(self, name: str, version: int | None, tags: Mapping[str, str]) -> None:
        """Replaces the tags of a version, or of the model if the version is None."""
        ...

    def delete(self, version: Version) -> None:
        """Removes a version, for all servers in one step."""
        ...

    def read(self, version: Version, path: str) -> bytes | None:
        """Reads one small file; None if it does not exist."""
        ...

    def with_checksums(self, version: Version) -> Version:
        """Returns the version with the SHA-256 of each file, as far as it is known."""
        ...

    def working_copy(self, version: Version) -> AbstractContextManager[Path]:
        """Opens a folder with the version's files; changes inside ``with`` are kept."""
        ...


def check_name(name: str) -> None:
    """Refuses a name that no server would find."""
    if not MODEL_NAME.fullmatch(name):
        raise ToolError(
            f"{name!r} cannot be the name of a model: use letters, digits, '_', '.' and '-', at "
            "most 128 of them, with a letter or digit first."
        )


def check_version(version: int | None) -> None:
    """Refuses a number that no server would find."""
    if version is not None and not 0 <= version < 10**MOST_VERSION_DIGITS:
        raise ToolError(
            f"{version} cannot be a version: use a whole number from 0, of at most "
            f"{MOST_VERSION_DIGITS} digits."
        )


def changed_tags(
    tags: Mapping[str, str], added: list[str], removed: list[str] | None = None
) -> dict[str, str]:
    """Returns the tags after ``key=value`` texts were added and keys removed.

    Raises:
        ToolError: one of the texts is not a tag, or a key to remove does not exist.
    """
    changed = dict(tags)
    for text in added:
        key, equals, value = text.partition("=")
        if not equals or not _TAG_KEY.fullmatch(key) or not value.isprintable():
            raise ToolError(
                f"{text!r} is not a tag: write key=value, the key of letters, digits, '_', '.' "
                "and '-', the value on one line."
            )
        if len(value) > LONGEST_TAG:
            raise ToolError(f"The tag {key!r} is longer than {LONGEST_TAG} characters.")
        changed[key] = value
    for key in removed or []:
        if key not in changed:
            keys = ", ".join(sorted(changed)) or "none"
            raise ToolError(f"There is no tag {key!r}; there are: {keys}.")
        del changed[key]
    return changed


def tags_as_json(tags: Mapping[str, str]) -> str:
    """Formats tags as the text of ``tags.json``; ``parse_tags`` reads it."""
    return json.dumps(dict(sorted(tags.items())), indent=2, ensure_ascii=False) + "\n"


def parse_tags(text: str | bytes | None) -> dict[str, str]:
    """Reads the tags in a ``tags.json``; none if it is missing or unreadable."""
    try:
        value = json.loads(text or "{}")
        return {str(key): str(value[key]) for key in value}
    except (ValueError, TypeError, RecursionError):
        return {}
