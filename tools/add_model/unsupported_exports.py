"""Names the kind of an export that holds no model for this app."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import PurePosixPath

from image_classifier.engines.registry import weights_files
from image_classifier.model_files.cvexport_manifest import ExportManifest

__all__ = ["by_files", "by_manifest"]

_AGAIN = "Export the iteration again, as TensorFlow, ONNX or TensorFlow Lite"

_BY_PLATFORM = {
    "coreml": "CoreML",
    "openvino": "OpenVINO",
    "vaidk": "the Vision AI Dev Kit",
}
_BY_FLAVOR = {"tensorflowjs": "TensorFlow.js"}

# Each: endings of file names that must all occur, and the kind of export that has them.
_BY_ENDINGS = (
    ((".mlmodel",), "CoreML"),
    ((".mlpackage",), "CoreML"),
    (("model.json", ".bin"), "TensorFlow.js"),
    ((".xml", ".bin"), "OpenVINO"),
    ((".dlc",), "the Vision AI Dev Kit"),
    ((".pt",), "PyTorch"),
    ((".pth",), "PyTorch"),
)
_KERAS = (".keras", ".h5", ".hdf5")


def by_manifest(manifest: ExportManifest) -> str | None:
    """Describes why the app cannot run an export with such a manifest; None if it can."""
    kind = _BY_FLAVOR.get((manifest.flavor or "").lower())
    kind = kind or _BY_PLATFORM.get((manifest.platform or "").lower())
    return f"it is an export for {kind}, which this app cannot run. {_AGAIN}." if kind else None


def by_files(paths: Collection[str]) -> str:
    """Describes an export that has no weights for this app."""
    names = {part for path in paths for part in PurePosixPath(path).parts}
    weights = ", ".join(weights_files()[:-1]) + f" or {weights_files()[-1]}"
    if not names:
        return f"there are no files in it. {_AGAIN}."
    for endings, kind in _BY_ENDINGS:
        if all(any(name.lower().endswith(ending) for name in names) for ending in endings):
            return f"it is an export for {kind}, which this app cannot run. {_AGAIN}."
    if any(name.lower().endswith(_KERAS) for name in names):
        return "it is a Keras model: python -m tools.export makes a model of it that can be served."
    suffixes = {PurePosixPath(name).suffix for name in weights_files()}
    if near := sorted(name for name in names if PurePosixPath(name).suffix in suffixes):
        return f"it holds no {weights}. If {near[0]} is the model, call it one of these."
    if any(name.lower().endswith(".zip") for name in names):
        return "there is another zip file in it: unpack that and give it."
    return f"it holds no {weights}. {_AGAIN}."
