"""Reads a TensorFlow model of either kind as a frozen graph and an input specification."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from image_classifier.engines.frozen_graph import read_frozen_graph, recognise
from image_classifier.errors import ModelError
from image_classifier.model_files.input_spec import InputSpec, read_input_spec

__all__ = ["FrozenModel", "read_model"]


@dataclass(frozen=True)
class FrozenModel:
    """A graph whose weights are constants, and its input specification.

    Attributes:
        graph_def: TensorFlow's GraphDef.
        input_spec: tensor names, size and preprocessing.
        source: the file of the model.
    """

    graph_def: Any
    input_spec: InputSpec
    source: Path


def read_model(folder: Path) -> FrozenModel:
    """Reads ``model.pb`` or a SavedModel from a version folder.

    Raises:
        ModelError: the folder has neither, or no server could use it.
    """
    sidecar = folder / "model.json"
    input_spec = read_input_spec(sidecar) if sidecar.is_file() else None
    frozen, saved = folder / "model.pb", folder / "saved_model.pb"
    if frozen.is_file():
        from tensorflow.core.framework.graph_pb2 import GraphDef
        from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

        graph_def = read_frozen_graph(frozen, GraphDef, SavedModel)
        return FrozenModel(graph_def, input_spec or recognise(frozen, graph_def), frozen)
    if saved.is_file():
        return _freeze(saved, input_spec)
    raise ModelError(f"{folder} has neither model.pb nor saved_model.pb: nothing to convert.")


def _freeze(saved: Path, input_spec: InputSpec | None) -> FrozenModel:
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,
    )

    if input_spec is None:
        raise ModelError(
            f"{saved} is a SavedModel: put a model.json beside it that names input, output, size "
            "and preprocessing; README shows one."
        )
    try:
        loaded = tf.saved_model.load(str(saved.parent))  # owns the variables: keep it alive
        signatures = loaded.signatures
        # In models of tools.export, serving_default decodes images, which ONNX cannot do.
        signature = signatures.get("tensors") or signatures["serving_default"]
    except (OSError, ValueError, KeyError) as exc:
        raise ModelError(
            f"{saved} has no signature tensors or serving_default that loads: {exc}."
        ) from exc
    frozen = convert_variables_to_constants_v2(signature)
    if len(frozen.inputs) != 1:
        raise ModelError(f"{saved}: its signature has {len(frozen.inputs)} inputs, not one.")
    outputs = sorted(signature.structured_outputs)  # the order of a flattened dict
    output = input_spec.output_name.partition(":")[0]
    if output not in outputs:
        raise ModelError(f"{saved} has no output {output!r}; it has: {', '.join(outputs)}.")
    position = outputs.index(output)
    # model.json names the signature's inputs and outputs; the graph has names of its own.
    input_spec = replace(
        input_spec,
        input_name=frozen.inputs[0].name,
        output_name=frozen.outputs[position].name,
    )
    return FrozenModel(frozen.graph.as_graph_def(), input_spec, saved)
