"""Opens the store that ``MODELS_DIR`` names: a folder, or Azure Blob Storage."""

from __future__ import annotations

from pathlib import Path

from image_classifier.settings import Settings
from image_classifier.stores.base import ModelStore
from image_classifier.stores.blob_location import find_location
from image_classifier.stores.blob_store import BlobStore
from image_classifier.stores.download_cache import default_cache_dir
from image_classifier.stores.folder_store import FolderStore

__all__ = ["open_store"]


def open_store(settings: Settings, app_root: Path) -> ModelStore:
    """Opens the store of models; nothing is listed yet.

    Args:
        settings: MODELS_DIR and its companions.
        app_root: the folder that relative folders in the settings start from.

    Raises:
        SettingsError: MODELS_DIR is an address that cannot be used.
    """
    location = find_location(settings.models_dir, settings.storage)
    if location is None:
        return FolderStore(app_root / settings.models_dir)
    cache_dir = settings.models_cache_dir
    return BlobStore(
        location,
        app_root / cache_dir if cache_dir else default_cache_dir(),
        poll_seconds=settings.models_poll_seconds,
    )
