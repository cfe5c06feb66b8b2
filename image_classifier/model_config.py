"""Which models and versions are served: TensorFlow Serving's ``model_config_list``."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["AllVersions", "Latest", "ModelConfig", "Specific", "VersionPolicy"]


@dataclass(frozen=True)
class Latest:
    """The versions with the highest numbers.

    Attributes:
        count: how many, 1 or more.
    """

    count: int = 1

    def choose(self, present: Collection[int]) -> list[int]:
        """The versions to serve, highest first."""
        return sorted(present, reverse=True)[: self.count]


@dataclass(frozen=True)
class AllVersions:
    """Every version that is there."""

    def choose(self, present: Collection[int]) -> list[int]:
        """The versions to serve, highest first."""
        return sorted(present, reverse=True)


@dataclass(frozen=True)
class Specific:
    """The versions named, those of them that are there.

    Attributes:
        versions: their numbers.
    """

    versions: tuple[int, ...]

    def choose(self, present: Collection[int]) -> list[int]:
        """The versions to serve, highest first."""
        return sorted(set(present) & set(self.versions), reverse=True)


VersionPolicy = Latest | AllVersions | Specific


@dataclass(frozen=True)
class ModelConfig:
    """One model that is served.

    Attributes:
        name: what callers call it.
        base_path: the folder with its version folders.
        policy: which of them are served.
        labels: version labels, such as ``{"stable": 42}``.
    """

    name: str
    base_path: Path
    policy: VersionPolicy = Latest()
    labels: Mapping[str, int] = field(default_factory=dict)
