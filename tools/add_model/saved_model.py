"""Reads the input specification of a SavedModel that Custom Vision exported."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from image_classifier.errors import ModelError
from image_classifier.model_files.input_spec import InputSpec

__all__ = ["input_spec_of", "serving_graph"]

_SIGNATURE = "serving_default"
# The names of input and output in the two kinds of exports.
_OUTPUTS = {"Placeholder": "model_outputs", "data": "model_output"}


def serving_graph(weights: Path) -> Any:
    """Reads the MetaGraphDef for serving from a ``saved_model.pb``.

    Raises:
        ModelError: the file has none.
    """
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    try:
        saved = SavedModel.FromString(weights.read_bytes())
        serving = [meta for meta in saved.meta_graphs if "serve" in meta.meta_info_def.tags]
    except (DecodeError, UnicodeDecodeError):
        serving = []
    if len(serving) != 1:
        raise ModelError(
            f"{weights} is not a SavedModel for serving: it is damaged, cut short or of another "
            "kind. Export it again."
        )
    return serving[0]


def input_spec_of(weights: Path) -> InputSpec:
    """Recognises an export by its graph, or by its signature if the graph is in functions.

    Raises:
        ModelError: the file holds another model, or an object detector.
    """
    from image_classifier.engines.frozen_graph import recognise

    meta = serving_graph(weights)
    graph_def, signature = meta.graph_def, meta.signature_def[_SIGNATURE]
    in_functions = graph_def.library.function and not any(
        node.name in _OUTPUTS for node in graph_def.node
    )
    try:
        if not in_functions:
            return recognise(weights, graph_def)
        input_spec = recognise(weights, _as_frozen(graph_def, signature))
    except ModelError as exc:
        message = exc.message.replace("is a frozen graph but not", "is a SavedModel but not")
        raise ModelError(message) from exc
    (input_name,) = signature.inputs
    output_name = input_spec.output_name.removesuffix(":0")
    if output_name not in signature.outputs:
        (output_name,) = signature.outputs
    return replace(input_spec, input_name=f"{input_name}:0", output_name=f"{output_name}:0")


def _as_frozen(graph_def: Any, signature: Any) -> Any:
    """Makes a graph of the nodes that identify a frozen export, which functions hide here."""
    frozen = type(graph_def)()
    for name, info in signature.inputs.items():
        node = frozen.node.add(name=name, op="Placeholder")
        node.attr["shape"].shape.CopyFrom(info.tensor_shape)
    for name in signature.outputs:
        frozen.node.add(name=name, op="Identity")
    if len(signature.inputs) == len(signature.outputs) == 1:
        frozen.node.add(name=_OUTPUTS.get(next(iter(signature.inputs)), ""), op="Identity")
    for function in graph_def.library.function:
        for node in function.node_def:
            if node.name.startswith("data_bn"):
                frozen.node.add(name=node.name, op=node.op)
    return frozen
