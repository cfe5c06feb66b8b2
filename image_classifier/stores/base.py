"""Defines the interface of a store of models, and of the origin of a version's files."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Protocol

__all__ = ["ModelStore", "Origin"]


class Origin(Protocol):
    """The source of a version's files, if they are not in its folder from the start."""

    def fetch(self, *, check: bool = False) -> None:
        """Puts the files into the folder, all or none, unless it is complete.

        Args:
            check: compare the checksums of existing files, and fetch damaged ones again.

        Raises:
            ModelError: the download failed; the message gives the cause.
        """
        ...

    def state(self) -> object:
        """Equals its earlier value as long as a failed load would fail again."""
        ...


class ModelStore(Protocol):
    """A store of models. Safe to share among threads.

    Attributes:
        display_name: the store, as messages name it.
    """

    display_name: str

    def names(self) -> Collection[str]:
        """Candidates for the names of models; ``versions`` tells which are models."""
        ...

    def versions(self, name: str) -> dict[int, Path]:
        """The folder of each version of one model, the highest version first."""
        ...

    def last_changed_ns(self, name: str) -> int:
        """When the versions of a model last changed, in ns; 0 if not known."""
        ...

    def origin(self, folder: Path) -> Origin | None:
        """The origin of the files of a version folder; None if they are in the folder."""
        ...

    def error(self) -> str | None:
        """Why the store cannot be read now; None if it can."""
        ...

    def not_found_hint(self, name: str) -> str:
        """A hint for a caller whose model was not found, after a blank; may be empty."""
        ...
