"""Opens the registry that ``MODELS_DIR`` names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from image_classifier.storage_settings import StorageSettings
from image_classifier.stores.blob_location import find_location
from tools.models.blob_registry import BlobRegistry
from tools.models.folder_registry import FolderRegistry
from tools.models.registry import Registry
from tools.shared.errors import ToolError

__all__ = ["open_registry"]


def open_registry(where: str | None, settings: Mapping[str, str], *, root: Path) -> Registry:
    """Opens the registry in a folder or on Blob Storage, without a request yet.

    Args:
        where: from the command line; None stands for the setting MODELS_DIR.
        settings: the app settings.
        root: the folder to which a relative folder in the settings belongs.

    Raises:
        ToolError: the command line holds a secret.
        SettingsError: the address cannot be used.
    """
    if where and "sig=" in where:
        raise ToolError(
            "Put the address with its signature into MODELS_DIR in the environment or in "
            "local.settings.json: everybody on this machine can see a command line."
        )
    place = where or settings.get("MODELS_DIR", "").strip() or "models"
    location = find_location(place, StorageSettings.from_environ(settings))
    if location is not None:
        return BlobRegistry(location)
    return FolderRegistry(Path(place) if where else root / place)
