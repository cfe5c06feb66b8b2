"""Reads a frozen graph from ``model.pb`` and rejects files of other kinds.

It works on TensorFlow's message types, which the engine passes in, and reads only that file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from image_classifier.engines.base import detection_export
from image_classifier.engines.importing import importing
from image_classifier.errors import ModelError
from image_classifier.model_files.input_spec import CAFFE_MEAN_BGR, InputSpec

with importing("tensorflow"):  # protobuf comes with it
    from google.protobuf.message import DecodeError

__all__ = ["read_frozen_graph", "recognise"]

_VARIABLE_OPS = frozenset({"Variable", "VariableV2", "VarHandleOp", "ReadVariableOp"})
_DETECTION_NODES = ("detected_boxes", "detected_scores", "detected_classes", "image_tensor")

# Files that people rename to model.pb, by their first bytes.
_MAGIC = (
    (b"PK\x03\x04", "a ZIP archive, such as a PyTorch file or an export that is still packed"),
    (b"\x89HDF\r\n\x1a\n", "a Keras HDF5 file"),
    (b"version https://git-lfs", "a Git LFS pointer: run 'git lfs pull' to get the file itself"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"<", "an HTML or XML page"),
    (b"\x80", "a Python pickle"),
)


def read_frozen_graph(path: Path, graph_type: type[Any], saved_model_type: type[Any]) -> Any:
    """Reads a frozen graph.

    Args:
        path: the ``model.pb``.
        graph_type: TensorFlow's ``GraphDef``.
        saved_model_type: TensorFlow's ``SavedModel``, to recognise that common mistake.

    Returns:
        A ``GraphDef`` with at least one node and no variables.

    Raises:
        ModelError: the file cannot be read or is not a frozen graph.
    """
    try:
        data = path.read_bytes()
    except OSError as exc:
        raise ModelError(f"{path} cannot be read: {exc.strerror}.") from exc
    graph_def = graph_type()
    try:
        graph_def.ParseFromString(data)
        nodes = list(graph_def.node)
    except (DecodeError, UnicodeDecodeError):
        nodes = []
    if not nodes or not all(node.name and node.op for node in nodes):
        raise ModelError(
            f"{path} is not a frozen TensorFlow graph: {_actual_kind(data, saved_model_type)}."
        )
    if any(node.op in _VARIABLE_OPS for node in nodes):
        raise ModelError(
            f"{path} is a graph whose variables are not frozen into it: its weights are in other "
            "files. Freeze it, or export it from Custom Vision as TensorFlow."
        )
    return graph_def


def recognise(path: Path, graph_def: Any) -> InputSpec:
    """Recognises a Custom Vision export by its nodes, and derives its input specification.

    Raises:
        ModelError: it is another graph (it needs a ``model.json``) or an object detection export.
    """
    nodes = {node.name: node for node in graph_def.node}
    if any(name in nodes for name in _DETECTION_NODES):
        raise detection_export(path)
    placeholders = [node for node in graph_def.node if node.op == "Placeholder"]
    names = [node.name for node in placeholders]
    if names == ["Placeholder"] and ("model_outputs" in nodes or "loss" in nodes):
        height, width = _input_size(path, placeholders[0])
        in_graph = any(name.startswith("data_bn") for name in nodes)
        return InputSpec(
            input_name="Placeholder:0",
            output_name="model_outputs:0" if "model_outputs" in nodes else "loss:0",
            height=height,
            width=width,
            channels="BGR",
            mean=(0.0, 0.0, 0.0) if in_graph else CAFFE_MEAN_BGR,
        )
    if names == ["data"] and "model_output" in nodes:
        height, width = _input_size(path, placeholders[0])
        return InputSpec(
            input_name="data:0",
            output_name="model_output:0",
            height=height,
            width=width,
            channels="RGB",
            resize="crop",
        )
    raise ModelError(
        f"{path} is a frozen graph but not a Custom Vision classifier (its inputs: "
        f"{', '.join(names[:5]) or 'none'}). Put a model.json beside it that names input, output, "
        "size and preprocessing; README shows one."
    )


def _input_size(path: Path, placeholder: Any) -> tuple[int, int]:
    shape = placeholder.attr["shape"].shape
    sizes = [dim.size for dim in shape.dim]
    if len(sizes) != 4 or sizes[1] < 1 or sizes[2] < 1 or sizes[3] != 3:
        raise ModelError(
            f"{path}: its input {placeholder.name}:0 has shape {sizes}, not [?, height, width, 3]. "
            "Put a model.json beside it that names the size."
        )
    return sizes[1], sizes[2]


def _actual_kind(data: bytes, saved_model_type: type[Any]) -> str:
    """Describes the file for the error message."""
    if not data:
        return "it is empty"
    for magic, name in _MAGIC:
        if data.startswith(magic):
            return f"it is {name}"
    if _is_saved_model(data, saved_model_type):
        return (
            "it is a SavedModel's saved_model.pb under another name, which holds no weights. "
            "Export from Custom Vision as TensorFlow (not SavedModel)"
        )
    return "it is damaged, cut short or of another kind. Export it again"


def _is_saved_model(data: bytes, saved_model_type: type[Any]) -> bool:
    saved = saved_model_type()
    try:
        saved.ParseFromString(data)
    except (DecodeError, UnicodeDecodeError):
        return False
    return saved.saved_model_schema_version > 0 and len(saved.meta_graphs) > 0
