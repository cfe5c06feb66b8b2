"""Makes the request of each kind of call, and reads its answer; both clients send it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from numpy.typing import ArrayLike

from image_classifier_client import messages
from image_classifier_client.connection import Connection
from image_classifier_client.errors import InvalidInput, ServerError
from image_classifier_client.results import (
    Classification,
    ModelMetadata,
    Signature,
    TensorInfo,
    VersionStatus,
)
from image_classifier_client.tensors import Array, fill_proto, to_array

__all__ = ["Call", "Names", "classify", "metadata", "score", "status"]

T = TypeVar("T")
Names = list[str] | tuple[str, ...]

_PREDICTION = "/tensorflow.serving.PredictionService"
_MODEL = "/tensorflow.serving.ModelService"
_IMAGES = "images"
# An image classifier gives both to requests without a signature.
_PROBABILITIES, _LABELS = "probabilities", "labels"
_NAMES = {number: name for name, number in messages.DATA_TYPES.items()}


@dataclass(frozen=True)
class Call(Generic[T]):
    """One call of the server.

    Attributes:
        method: full name of gRPC's method.
        request: the message to send.
        response_class: of the answer.
        read: makes the caller's result of it, or raises ServerError.
    """

    method: str
    request: Any
    response_class: Any
    read: Callable[[Any], T]


def score(
    connection: Connection,
    inputs: Mapping[str, ArrayLike],
    outputs: str | Names | None,
    *,
    is_one_image: bool = False,
) -> Call[Array | list[Array]]:
    """Runs a signature on tensors.

    Args:
        connection: names model and signature.
        inputs: an array for each input.
        outputs: the name of one, or several; None means the only one.
        is_one_image: the answer's arrays lose their first dimension, of size 1; and without
            ``outputs`` the probabilities are given, where they are one of several.

    Returns:
        A call that gives an array, or a list of them if several outputs were named.

    Raises:
        InvalidInput: an input cannot be sent.
    """
    names = [outputs] if isinstance(outputs, str) else list(outputs or ())
    if outputs is not None and not all(names):
        raise InvalidInput("outputs has an empty name. Leave it out for the only output.")

    def read(answer: Any) -> Array | list[Array]:
        arrays = _arrays(answer, names)
        if is_one_image:
            arrays = {name: _first(array) for name, array in arrays.items()}
        if outputs is not None and not isinstance(outputs, str):
            return [arrays[name] for name in names]
        if is_one_image and _PROBABILITIES in arrays:
            return arrays[_PROBABILITIES]  # a model that gives its label too, or has more names
        if len(arrays) != 1:
            listed = ", ".join(sorted(arrays)) or "none"
            raise InvalidInput(f"There are several outputs: {listed}. Name one or more in outputs.")
        return next(iter(arrays.values()))

    request = _predict_request(connection, connection.signature, inputs, names)
    return Call(f"{_PREDICTION}/Predict", request, messages.PredictResponse, read)


def classify(connection: Connection, file: bytes, top: int) -> Call[list[Classification]]:
    """Classifies an image.

    Args:
        connection: names the model, which must be an image classifier.
        file: the bytes of an image file.
        top: how many labels, the most probable first; the first of equals as the model has them.

    Raises:
        InvalidInput: ``top`` is no number of labels.
    """
    if top < 1:
        raise InvalidInput(f"top is {top}; it must be 1 or more.")
    outputs = [_PROBABILITIES, _LABELS]

    def read(answer: Any) -> list[Classification]:
        arrays = _arrays(answer, outputs)
        scores, labels = arrays[_PROBABILITIES].reshape(-1), arrays[_LABELS].reshape(-1)
        if len(scores) != len(labels):
            raise ServerError(f"There are {len(scores)} probabilities for {len(labels)} labels.")
        order = sorted(range(len(scores)), key=lambda index: -scores[index])[:top]
        return [
            Classification(labels[index].decode("utf-8", "replace"), float(scores[index]))
            for index in order
        ]

    request = _predict_request(connection, "", {_IMAGES: [file]}, outputs)
    return Call(f"{_PREDICTION}/Predict", request, messages.PredictResponse, read)


def metadata(connection: Connection) -> Call[ModelMetadata]:
    """Asks for a model's signatures."""
    request = messages.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = connection.model
    request.model_spec.SetInParent()  # also where it is empty: the server wants one

    def read(answer: Any) -> ModelMetadata:
        packed = answer.metadata["signature_def"].value
        listed = messages.SignatureDefMap.FromString(packed).signature_def
        signatures = {
            name: Signature(_infos(listed[name].inputs), _infos(listed[name].outputs))
            for name in sorted(listed)
        }
        return ModelMetadata(answer.model_spec.name, answer.model_spec.version.value, signatures)

    method = f"{_PREDICTION}/GetModelMetadata"
    return Call(method, request, messages.GetModelMetadataResponse, read)


def status(connection: Connection) -> Call[list[VersionStatus]]:
    """Asks how a model's versions are doing."""
    request = messages.GetModelStatusRequest()
    request.model_spec.name = connection.model
    request.model_spec.SetInParent()

    def read(answer: Any) -> list[VersionStatus]:
        return [
            VersionStatus(each.version, each.State.Name(each.state), each.status.error_message)
            for each in answer.model_version_status
        ]

    return Call(f"{_MODEL}/GetModelStatus", request, messages.GetModelStatusResponse, read)


def _predict_request(
    connection: Connection,
    signature: str,
    inputs: Mapping[str, ArrayLike],
    outputs: Sequence[str],
) -> Any:
    request = messages.PredictRequest(output_filter=outputs)
    if connection.model or signature:
        request.model_spec.name, request.model_spec.signature_name = connection.model, signature
    for name, value in inputs.items():
        fill_proto(request.inputs[name], value, name)
    return request


def _arrays(answer: Any, names: Sequence[str]) -> dict[str, Array]:
    missing = [name for name in names if name not in answer.outputs]
    if missing:
        listed = ", ".join(sorted(answer.outputs)) or "no outputs"
        raise ServerError(f"The answer has no output {missing[0]!r}. It has {listed}.")
    return {name: to_array(answer.outputs[name], name) for name in names or answer.outputs}


def _first(array: Array) -> Array:
    """Takes the only image's part, where an output such as ``labels`` has one."""
    return array[0] if array.shape[:1] == (1,) else array


def _infos(listed: Any) -> dict[str, TensorInfo]:
    return {key: _info(listed[key]) for key in sorted(listed)}


def _info(info: Any) -> TensorInfo:
    shape = info.tensor_shape
    sizes = None if shape.unknown_rank else tuple(dim.size for dim in shape.dim)
    return TensorInfo(info.name, _NAMES.get(info.dtype, str(info.dtype)), sizes)
