"""Writes the files beside a built model: the names of its tensors, and its recipe."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from image_classifier.engines.registry import SAVED_MODEL
from image_classifier.model_files.signatures import Signature
from image_classifier.model_files.signatures_json import SIGNATURES_FILE, signatures_as_dict

__all__ = ["RECIPE_FILE", "write_recipe", "write_signatures"]

RECIPE_FILE = "zoo.json"


def write_signatures(folder: Path) -> dict[str, Signature]:
    """Writes ``signatures.json``: each signature's keys, and their tensors in the graph.

    Clients of Azure ML's accelerated models looked tensors up by these names.

    Args:
        folder: has the ``saved_model.pb``, which is read and not run.

    Returns:
        The signatures.
    """
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    from image_classifier.engines.saved_model import signature_of

    saved = SavedModel.FromString((folder / SAVED_MODEL).read_bytes())
    (graph,) = (each for each in saved.meta_graphs if "serve" in each.meta_info_def.tags)
    signatures = {
        name: signature_of(definition)
        for name, definition in sorted(graph.signature_def.items())
        if not name.startswith("__")  # internal to TensorFlow
    }
    _write(folder / SIGNATURES_FILE, signatures_as_dict(signatures))
    return signatures


def write_recipe(folder: Path, **what: Any) -> None:
    """Writes ``zoo.json``, the data to build the same model again."""
    import keras

    _write(folder / RECIPE_FILE, {**what, "keras": keras.__version__})


def _write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", "utf-8")
