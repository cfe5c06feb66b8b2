"""Answers clients of Azure ML's accelerated models, which name neither signature nor outputs.

The old ``PredictionClient`` sends one tensor, usually called ``images``, and looks its answer up
under a name that the server is not told. So the signature and the names of its
outputs follow from the caller's name of the input. docs/accelerated-clients.md has the table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from image_classifier.model_files.signatures import Array
from image_classifier.models.loaded_model import LoadedModel
from image_classifier.protocols.tf_serving.errors import ServingError, invalid_argument
from image_classifier.protocols.tf_serving.service import (
    ModelSpec,
    PredictResult,
    TensorFlowServing,
)
from model_server.accelerated_models.signature_matching import (
    LABELS,
    PREVIEW_INPUT,
    ROUTE,
    Metadata,
    Output,
    matching_signatures,
)

__all__ = ["Metadata", "is_from_accelerated_client", "predict_for_accelerated", "with_service"]

_ROUTE_STARTS = "/api/v1/service/"


def with_service(spec: ModelSpec, metadata: Metadata, serving: TensorFlowServing) -> ModelSpec:
    """Names the model after the service if the request names none and such a model is served."""
    service = metadata.get(ROUTE, "").removeprefix(_ROUTE_STARTS).strip("/")
    if spec.name or not service or not serving.serves(service):
        return spec
    return replace(spec, name=service)


def is_from_accelerated_client(spec: ModelSpec, inputs: Iterable[str], metadata: Metadata) -> bool:
    """Whether a request is of a kind that TensorFlow Serving's clients do not send.

    Args:
        spec: as the request has it.
        inputs: their names.
        metadata: of the call.
    """
    if spec.signature_name:
        return False
    return ROUTE in metadata or (not spec.name and set(inputs) == {PREVIEW_INPUT})


def predict_for_accelerated(
    serving: TensorFlowServing,
    spec: ModelSpec,
    inputs: Mapping[str, Array],
    output_filter: Sequence[str],
    metadata: Metadata,
) -> PredictResult:
    """Answers such a request.

    Args:
        serving: runs the signatures.
        spec: the model, without a signature.
        inputs: an array for each input, by whatever name.
        output_filter: the names to answer with; the old clients send none.
        metadata: of the call.

    Raises:
        ServingError: INVALID_ARGUMENT for every mistake of the caller. The old client retries
            any other code for 15 seconds.
    """
    loaded = serving.find(spec)
    for match in matching_signatures(loaded, inputs, metadata):
        keys_by_name = _chosen(match.outputs, output_filter)
        if keys_by_name is not None:
            break
    else:
        raise _fits_none(loaded, inputs, output_filter)
    signature_outputs = loaded.signatures[match.signature_name].outputs
    keys = [key for key in signature_outputs if key in keys_by_name.values()]
    spec = replace(spec, signature_name=match.signature_name)
    result = serving.predict(spec, match.inputs, keys, loaded=loaded)
    arrays = {LABELS: _texts(loaded.labels), **result.outputs}
    return replace(result, outputs={name: arrays[key] for name, key in keys_by_name.items()})


def _chosen(outputs: Sequence[Output], output_filter: Sequence[str]) -> dict[str, str] | None:
    """Maps the names of the answer to keys of outputs; None if a requested one is missing."""
    if not output_filter:
        return {name: output.key for output in outputs for name in output.names}
    known = {name: each.key for each in outputs for name in (*each.names, *each.others)}
    if not known.keys() >= set(output_filter):
        return None
    return {name: known[name] for name in output_filter}


def _texts(values: Sequence[str]) -> Array:
    texts: Array = np.empty(len(values), object)
    texts[:] = [value.encode() for value in values]
    return texts


def _fits_none(
    loaded: LoadedModel, inputs: Iterable[str], output_filter: Sequence[str]
) -> ServingError:
    asked = f"takes {', '.join(sorted(inputs)) or 'nothing'}"
    asked += f" and gives {', '.join(output_filter)}" if output_filter else ""
    listed = "; ".join(
        f"{name}: {', '.join(signature.inputs)} -> {', '.join(signature.outputs)}"
        for name, signature in loaded.signatures.items()
        if not name.startswith("__")
    )
    return invalid_argument(
        f"No signature of the model {loaded.name!r} {asked}. Call inputs and outputs as one of "
        f"them does: {listed}."
    )
