"""Which registry ``MODELS_DIR`` means."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tools.models.disk import DiskRegistry
from tools.models.versions import Registry

__all__ = ["open_registry"]


@contextmanager
def open_registry(
    where: str | None, settings: Mapping[str, str], *, root: Path
) -> Iterator[Registry]:
    """The registry in a folder.

    Args:
        where: overrides the setting MODELS_DIR.
        settings: app settings.
        root: what a relative folder in the settings is relative to.
    """
    if where:
        yield DiskRegistry(Path(where))
    else:
        yield DiskRegistry(root / settings.get("MODELS_DIR", "models"))
