"""Exports models for serving, as SavedModels that take image files, texts or columns.

from tools.export import export_classifier, preset

export_classifier(model, ["cat", "dog"], preset("tf", size=(224, 224)), name="pets")
"""

from __future__ import annotations

from tools.export.classifier import export_classifier
from tools.export.module import export_module
from tools.export.presets import PRESETS, preset

__all__ = [
    "PRESETS",
    "export_classifier",
    "export_module",
    "preset",
]
