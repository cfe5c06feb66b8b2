"""Checks that an export is a classifier, undamaged, and touches no files when it runs."""

from __future__ import annotations

from collections.abc import Set
from pathlib import Path
from typing import Any

from image_classifier.engines.registry import SAVED_MODEL
from image_classifier.errors import ModelError
from image_classifier.model_files.cvexport_manifest import ExportManifest
from tools.add_model.metadata import Metadata
from tools.add_model.saved_model import serving_graph
from tools.add_model.unsupported_exports import by_manifest
from tools.shared.errors import ToolError

__all__ = ["check_checksum", "check_kind", "check_operations"]

_DETECTION = (
    "it is an object detection export ({}). This app serves classifiers: export a classification "
    "project."
)
_DETECTION_METHODS = ("yolo", "ssd", "detection")

# A graph is a program: these operations touch files or run Python. A SavedModel also has operations
# that save and restore its variables; they run on request only.
_TOUCHES_FILES = frozenset(
    {
        "ReadFile",
        "WriteFile",
        "MatchingFiles",
        "ImmutableConst",
        "PrintV2",
        "CreateSummaryFileWriter",
        "CreateSummaryDbWriter",
        "PyFunc",
        "PyFuncStateless",
        "EagerPyFunc",
    }
)
_SAVES = frozenset(
    {
        "Save",
        "SaveSlices",
        "SaveV2",
        "Restore",
        "RestoreSlice",
        "RestoreV2",
        "MergeV2Checkpoints",
    }
)
_READS = ("Reader", "ReaderV2", "Dataset", "DatasetV2", "FromTextFile", "FromTextFileV2")


def check_kind(manifest: ExportManifest, metadata: Metadata) -> None:
    """Refuses exports that describe themselves as another kind.

    Raises:
        ToolError: the export is an object detector, or of a kind that the app cannot run.
    """
    if "detection" in (manifest.domain_type or "").lower():
        raise ToolError(_DETECTION.format(f"DomainType {manifest.domain_type}"))
    method = (metadata.method or "").lower()
    if any(word in method for word in _DETECTION_METHODS):
        raise ToolError(_DETECTION.format(f"Postprocess.Method {metadata.method}"))
    if refusal := by_manifest(manifest):
        raise ToolError(refusal)


def check_checksum(manifest: ExportManifest, path: str, sha1: str) -> str:
    """Compares the SHA-1 of the weights with the one in the manifest.

    Args:
        manifest: of the export.
        path: of the weights in the export.
        sha1: of the weights, as hexadecimal digits.

    Returns:
        The result, in words.

    Raises:
        ToolError: the two differ.
    """
    stated = manifest.model_file_sha1
    if stated is None:
        return "no checksum in the export"
    if stated.lower() != sha1:
        raise ToolError(
            f"{path} is damaged or was changed: its SHA-1 is {sha1}, the manifest says {stated}. "
            "Download it again, or export it again."
        )
    return f"SHA-1 {sha1}, as the manifest says"


def check_operations(weights: Path) -> None:
    """Refuses TensorFlow graphs that would touch files when they run.

    Raises:
        ModelError: the graph would touch files, or the file holds no graph.
    """
    graph, refused = _graph_of(weights)
    nodes = [*graph.node, *(node for each in graph.library.function for node in each.node_def)]
    for node in nodes:
        if node.op in refused or node.op.endswith(_READS):
            raise ModelError(
                f"{weights} has the operation {node.op}, which reads or writes files. No export "
                "has it: it will not be run."
            )


def _graph_of(weights: Path) -> tuple[Any, Set[str]]:
    """Reads the GraphDef, and lists the operations that it must not have."""
    if weights.name == SAVED_MODEL:
        return serving_graph(weights).graph_def, _TOUCHES_FILES
    from tensorflow.core.framework.graph_pb2 import GraphDef
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    from image_classifier.engines.frozen_graph import read_frozen_graph

    return read_frozen_graph(weights, GraphDef, SavedModel), _TOUCHES_FILES | _SAVES
