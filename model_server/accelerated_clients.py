"""Clients of Azure ML's accelerated models: they name no signature, and no outputs either.

The old ``PredictionClient`` sends one tensor, usually called ``images``, and looks its answer up
under a name that the server is not told. So which signature is meant, and what its outputs are
called, follows from what the caller calls the input. docs/accelerated-clients.md has the table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from image_classifier.contracts.serving_error import ServingError, invalid_argument
from image_classifier.contracts.tensor_names import key_of
from image_classifier.contracts.tf_serving import ModelSpec, PredictResult, TensorFlowServing
from image_classifier.image_signatures import PROBABILITIES, TENSORS
from image_classifier.loaded_model import LoadedModel
from image_classifier.signatures import DEFAULT_SIGNATURE, Array, Signature

__all__ = ["Metadata", "is_from_accelerated_client", "predict_for_accelerated", "with_service"]

# What a call is sent with, by lower-case name.
Metadata = Mapping[str, str]

_ROUTE = "x-ms-aml-grpc-service-route"
_ROUTE_STARTS = "/api/v1/service/"
# The preview of the service had one input and one output, and its client knows no other names.
_PREVIEW_INPUT, _PREVIEW_OUTPUT = "images", "output_alias"
_LABELS = "labels"  # every label, in the order of the scores; no signature has it


@dataclass(frozen=True)
class _Output:
    """An output, and what it may be called.

    Attributes:
        key: in its signature.
        names: what it is answered under if the request lists no outputs.
        others: what the request may list it under as well.
    """

    key: str
    names: tuple[str, ...]
    others: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Offer:
    """A signature that takes what was sent.

    Attributes:
        signature_name: its name.
        inputs: what it is fed, by names that it knows.
        outputs: what it gives.
    """

    signature_name: str
    inputs: Mapping[str, Array]
    outputs: Sequence[_Output]


def with_service(spec: ModelSpec, metadata: Metadata, serving: TensorFlowServing) -> ModelSpec:
    """Where no model is named but a service is, and a model is called so, that model."""
    service = metadata.get(_ROUTE, "").removeprefix(_ROUTE_STARTS).strip("/")
    if spec.name or not service or not serving.serves(service):
        return spec
    return replace(spec, name=service)


def is_from_accelerated_client(spec: ModelSpec, inputs: Iterable[str], metadata: Metadata) -> bool:
    """Whether a request is of the kind that TensorFlow Serving's clients do not send.

    Args:
        spec: as the request has it.
        inputs: their names.
        metadata: of the call.
    """
    if spec.signature_name:
        return False
    return _ROUTE in metadata or (not spec.name and set(inputs) == {_PREVIEW_INPUT})


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
        ServingError: INVALID_ARGUMENT for whatever the caller can mend. The old client tries
            again, for 15 seconds, whatever is refused with another code.
    """
    loaded = serving.find(spec)
    offers = [*_own_offers(loaded, inputs, metadata), *_image_offers(loaded, inputs, metadata)]
    for offer in offers:
        wanted = _chosen(offer.outputs, output_filter)
        if wanted is not None:
            break
    else:
        raise _fits_none(loaded, inputs, output_filter)
    there = loaded.signatures[offer.signature_name].outputs
    keys = [key for key in there if key in wanted.values()]
    spec = replace(spec, signature_name=offer.signature_name)
    found = serving.predict(spec, offer.inputs, keys, loaded=loaded)
    arrays = {_LABELS: _texts(loaded.labels), **found.outputs}
    return replace(found, outputs={name: arrays[key] for name, key in wanted.items()})


def _own_offers(
    loaded: LoadedModel, inputs: Mapping[str, Array], metadata: Metadata
) -> Iterator[_Offer]:
    """The signatures of the file itself; who uses tensor names is answered with them.

    The old client without ``outputs`` wants exactly one in the answer. If there are several it
    cannot do without a name, and finds each under both.
    """
    own = loaded.saved_model.signatures if loaded.saved_model is not None else {}
    for name in sorted(own, key=lambda name: (name != DEFAULT_SIGNATURE, name)):
        signature = own[name]
        if not _takes(signature, inputs):
            continue
        by_tensor_names = any(name not in signature.inputs for name in inputs)
        outputs = []
        for key, info in signature.outputs.items():
            names = (info.name, key) if by_tensor_names else (key, info.name)
            several = len(signature.outputs) > 1
            outputs.append(_Output(key, names) if several else _single(key, *names, metadata))
        yield _Offer(name, inputs, outputs)


def _image_offers(
    loaded: LoadedModel, inputs: Mapping[str, Array], metadata: Metadata
) -> Iterator[_Offer]:
    """An image classifier's scores: of text, which is an image file, or of what its graph takes.

    Who calls the input by the name of one signature's tensor, as the metadata have it, means that
    signature.
    """
    if loaded.image_engine is None or len(inputs) != 1:
        return
    ((called, tensor),) = inputs.items()
    is_text = tensor.dtype == np.dtype(object)
    own = loaded.saved_model.signatures if loaded.saved_model is not None else {}
    for name in loaded.signatures.keys() - own.keys():
        signature = loaded.signatures[name]
        ((input_key, info),) = signature.inputs.items()
        if called == info.name and is_text == (info.dtype == "DT_STRING"):
            named = [_Output(key, (out.name,), (key,)) for key, out in signature.outputs.items()]
            yield _Offer(name, {input_key: tensor}, named)
    name = PROBABILITIES if is_text else TENSORS
    if name in own:
        return  # the file's own signature hides that of the image classifier
    signature = loaded.signatures[name]
    (input_key,) = signature.inputs
    scores = PROBABILITIES if name == PROBABILITIES else next(iter(signature.outputs))
    of_graph = loaded.engine.contract.output_name
    names = (scores, of_graph) if called == input_key else (of_graph, scores)
    others = [key for key in (*signature.outputs, _LABELS) if key != scores]
    outputs = [_single(scores, *names, metadata), *(_Output(key, (), (key,)) for key in others)]
    yield _Offer(name, {input_key: tensor}, outputs)


def _takes(signature: Signature, inputs: Iterable[str]) -> bool:
    there, sent = signature.inputs, list(inputs)
    return len(sent) == len(there) and {key_of(name, there) for name in sent} == set(there)


def _single(key: str, name: str, other: str, metadata: Metadata) -> _Output:
    if _ROUTE not in metadata:  # the preview's client
        return _Output(key, (name, _PREVIEW_OUTPUT), (other,))
    return _Output(key, (name,), (other, _PREVIEW_OUTPUT))


def _chosen(outputs: Sequence[_Output], output_filter: Sequence[str]) -> dict[str, str] | None:
    """The name to answer with -> the output's key; None if one asked for is not there."""
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
    )
    return invalid_argument(
        f"No signature of the model {loaded.name!r} {asked}. Call inputs and outputs as one of "
        f"them does: {listed}."
    )
