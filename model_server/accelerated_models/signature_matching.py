"""Finds the signatures that a request without a signature's name may mean.

Clients of Azure ML's accelerated models send such requests. Each match is a signature that takes
the inputs, with the names of its outputs in the answer.
docs/accelerated-clients.md has the table.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from image_classifier.model_files.signatures import DEFAULT_SIGNATURE, Array, Signature
from image_classifier.models.image_signatures import (
    BYTES,
    IMAGE,
    IMAGES,
    PROBABILITIES,
    TENSOR_IN,
    TENSOR_OUT,
    TENSORS,
)
from image_classifier.models.loaded_model import LoadedModel
from image_classifier.protocols.tf_serving.tensor_names import key_of

__all__ = [
    "LABELS",
    "PREVIEW_INPUT",
    "ROUTE",
    "Metadata",
    "SignatureMatch",
    "Output",
    "matching_signatures",
]

# A call's metadata, by lower-case name.
Metadata = Mapping[str, str]

ROUTE = "x-ms-aml-grpc-service-route"
# The preview of the service had one input and one output, and its client knows no other names.
PREVIEW_INPUT, _PREVIEW_OUTPUT = "images", "output_alias"
LABELS = "labels"  # every label, in the order of the scores; no signature has it
_INPUTS = {IMAGE, IMAGES, TENSOR_IN}


@dataclass(frozen=True)
class Output:
    """An output and its possible names.

    Attributes:
        key: in its signature.
        names: in the answer if the request lists no outputs.
        others: further names by which the request may list it.
    """

    key: str
    names: tuple[str, ...]
    others: tuple[str, ...] = ()


@dataclass(frozen=True)
class SignatureMatch:
    """A signature that takes the inputs of a request.

    Attributes:
        signature_name: its name.
        inputs: arrays by the names of the signature.
        outputs: in the answer.
    """

    signature_name: str
    inputs: Mapping[str, Array]
    outputs: Sequence[Output]


def matching_signatures(
    loaded: LoadedModel, inputs: Mapping[str, Array], metadata: Metadata
) -> Iterator[SignatureMatch]:
    """Yields the possible signatures, the likeliest first; the same for every engine.

    An image classifier has four signatures of its own, in its file or made for it. The caller's
    name of the input decides among them; a file's further signatures come before a guess.
    """
    of_images = _image_signatures(loaded) if len(inputs) == 1 else {}
    for name, signature in of_images.items():
        yield from _by_tensor_name(name, signature, inputs)
    if DEFAULT_SIGNATURE in of_images:
        yield from _by_default_name(of_images[DEFAULT_SIGNATURE], inputs, metadata)
    yield from _by_file_signature(loaded, inputs, metadata, without=of_images)
    yield from _by_any_name(loaded, of_images, inputs, metadata)


def _image_signatures(loaded: LoadedModel) -> dict[str, Signature]:
    """Selects those of the four that have their usual form: one input with the usual name."""
    if loaded.image_engine is None:
        return {}
    four = (DEFAULT_SIGNATURE, BYTES, PROBABILITIES, TENSORS)
    return {
        name: signature
        for name, signature in loaded.signatures.items()
        if name in four and len(signature.inputs) == 1 and set(signature.inputs) <= _INPUTS
    }


def _by_tensor_name(
    name: str, signature: Signature, inputs: Mapping[str, Array]
) -> Iterator[SignatureMatch]:
    """Matches an input named after the signature's tensor in the metadata."""
    ((called, tensor),) = inputs.items()
    ((input_key, info),) = signature.inputs.items()
    if called == info.name and _is_text(tensor) == (info.dtype == "DT_STRING"):
        several = len(signature.outputs) > 1
        outputs = [
            Output(key, (out.name, key) if several else (out.name,), (key,))
            for key, out in signature.outputs.items()
        ]
        yield SignatureMatch(name, {input_key: tensor}, outputs)


def _by_default_name(
    default: Signature, inputs: Mapping[str, Array], metadata: Metadata
) -> Iterator[SignatureMatch]:
    """Matches an input ``images`` to ``serving_default``: the probabilities.

    The old client without ``outputs`` wants exactly one, and with ``outputs`` it most likely
    wants these. (What the default calls ``image`` is base64, which no such client sends.)
    """
    ((called, tensor),) = inputs.items()
    gives = default.outputs
    if (
        called == IMAGES
        and called in default.inputs
        and PROBABILITIES in gives
        and _is_text(tensor)
    ):
        scores = _single(PROBABILITIES, PROBABILITIES, gives[PROBABILITIES].name, metadata)
        yield SignatureMatch(DEFAULT_SIGNATURE, inputs, [scores, *_others(default, PROBABILITIES)])


def _by_file_signature(
    loaded: LoadedModel,
    inputs: Mapping[str, Array],
    metadata: Metadata,
    *,
    without: Collection[str],
) -> Iterator[SignatureMatch]:
    """Matches the signatures of the file itself; requests with tensor names are answered with them.

    The old client without ``outputs`` wants exactly one in the answer. If there are several it
    cannot do without a name, and finds each under both.
    """
    signatures = _file_signatures(loaded)
    for name in sorted(
        signatures.keys() - without, key=lambda name: (name != DEFAULT_SIGNATURE, name)
    ):
        signature = signatures[name]
        # Inputs of another kind are for another signature of an image classifier.
        if not _takes(signature, inputs, of_its_kind=bool(without)):
            continue
        by_tensor_names = any(name not in signature.inputs for name in inputs)
        outputs = []
        for key, info in signature.outputs.items():
            names = (info.name, key) if by_tensor_names else (key, info.name)
            several = len(signature.outputs) > 1
            outputs.append(Output(key, names) if several else _single(key, *names, metadata))
        yield SignatureMatch(name, inputs, outputs)


def _by_any_name(
    loaded: LoadedModel,
    of_images: Mapping[str, Signature],
    inputs: Mapping[str, Array],
    metadata: Metadata,
) -> Iterator[SignatureMatch]:
    """Matches any name to an image classifier's scores, of a file or of the graph's input."""
    if not of_images:
        return
    ((called, tensor),) = inputs.items()
    name, scores = (PROBABILITIES, PROBABILITIES) if _is_text(tensor) else (TENSORS, TENSOR_OUT)
    signature = of_images.get(name)
    if signature is None or scores not in signature.outputs:
        return
    (input_key,) = signature.inputs
    of_graph = loaded.engine.input_spec.output_name
    names = (scores, of_graph) if called == input_key else (of_graph, scores)
    outputs = [_single(scores, *names, metadata), *_others(signature, scores)]
    yield SignatureMatch(name, {input_key: tensor}, outputs)


def _file_signatures(loaded: LoadedModel) -> Mapping[str, Signature]:
    """Selects the file's signatures without TensorFlow's own, such as ``__saved_model_init_op``."""
    signatures = loaded.saved_model.signatures if loaded.saved_model is not None else {}
    return {name: signature for name, signature in signatures.items() if not name.startswith("__")}


def _others(signature: Signature, scores: str) -> list[Output]:
    """Lists the outputs that a request may name by key as well."""
    return [Output(key, (), (key,)) for key in (*signature.outputs, LABELS) if key != scores]


def _is_text(tensor: Array) -> bool:
    return tensor.dtype == np.dtype(object)


def _takes(signature: Signature, inputs: Mapping[str, Array], *, of_its_kind: bool) -> bool:
    """Whether a signature has inputs of these names and, if required, text where text is sent."""
    known = signature.inputs
    keys = {name: key_of(name, known) for name in inputs}
    if len(inputs) != len(known) or set(keys.values()) != set(known):
        return False
    return not of_its_kind or all(
        _is_text(inputs[name]) == (known[key].dtype == "DT_STRING")
        for name, key in keys.items()
        if key is not None
    )


def _single(key: str, name: str, other: str, metadata: Metadata) -> Output:
    if ROUTE not in metadata:  # the preview's client
        return Output(key, (name, _PREVIEW_OUTPUT), (other,))
    return Output(key, (name,), (other, _PREVIEW_OUTPUT))
