"""Implements PredictionService: from TensorFlow Serving's messages to the protocol and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from image_classifier.model_files.signatures import Signature
from image_classifier.protocols.tf_serving.classify_regress import (
    ClassifyResult,
    InferenceTask,
    RegressResult,
    classify,
    multi_inference,
    regress,
)
from image_classifier.protocols.tf_serving.errors import Code, ServingError
from image_classifier.protocols.tf_serving.json.example_proto import merge_examples
from image_classifier.protocols.tf_serving.service import ModelSpec, TensorFlowServing
from model_server.accelerated_models.requests import (
    Metadata,
    is_from_accelerated_client,
    predict_for_accelerated,
    with_service,
)
from model_server.grpc import messages
from model_server.grpc.messages import DATA_TYPES
from model_server.grpc.tensors import fill_proto, from_proto

__all__ = ["PredictionService", "spec_of"]


class PredictionService:
    """The methods of the service: each takes a request and its metadata and returns a response.

    All of them raise ServingError.

    Args:
        serving: answers.
        as_content: tensors are sent as ``tensor_content``.
    """

    def __init__(self, serving: TensorFlowServing, *, as_content: bool = False) -> None:
        self._serving = serving
        self._as_content = as_content

    def Predict(self, request: Any, metadata: Metadata) -> Any:
        """Runs a signature on tensors."""
        # Clients of accelerated models send no model_spec: the default answers.
        spec = with_service(spec_of(request), metadata, self._serving)
        inputs = {name: from_proto(proto, name) for name, proto in request.inputs.items()}
        outputs = request.output_filter
        if is_from_accelerated_client(spec_of(request), inputs, metadata):
            result = predict_for_accelerated(self._serving, spec, inputs, outputs, metadata)
        else:
            result = self._serving.predict(spec, inputs, outputs)
        response = messages.PredictResponse()
        _fill_spec(response.model_spec, result.spec)
        for name, array in result.outputs.items():
            fill_proto(response.outputs[name], array, as_content=self._as_content)
        return response

    def Classify(self, request: Any, metadata: Metadata) -> Any:
        """Runs a signature for classification on tf.Examples."""
        result = classify(self._serving, _asked(request), _examples(request))
        response = messages.ClassificationResponse()
        _fill_spec(response.model_spec, result.spec)
        _fill_classes(response.result, result)
        return response

    def Regress(self, request: Any, metadata: Metadata) -> Any:
        """Runs a signature for regression on tf.Examples."""
        result = regress(self._serving, _asked(request), _examples(request))
        response = messages.RegressionResponse()
        _fill_spec(response.model_spec, result.spec)
        _fill_numbers(response.result, result)
        return response

    def MultiInference(self, request: Any, metadata: Metadata) -> Any:
        """Runs several signatures of a model on the same tf.Examples."""
        tasks = [InferenceTask(spec_of(task), task.method_name) for task in request.tasks]
        response = messages.MultiInferenceResponse()
        for result in multi_inference(self._serving, tasks, _examples(request)):
            part = response.results.add()
            _fill_spec(part.model_spec, result.spec)
            if isinstance(result, ClassifyResult):
                _fill_classes(part.classification_result, result)
            else:
                _fill_numbers(part.regression_result, result)
        return response

    def GetModelMetadata(self, request: Any, metadata: Metadata) -> Any:
        """Returns the signatures of a model."""
        asked = with_service(_asked(request), metadata, self._serving)
        if not request.metadata_field:
            raise ServingError(
                Code.INVALID_ARGUMENT,
                "GetModelMetadataRequest must specify at least one metadata_field",
            )
        for field in request.metadata_field:
            if field != "signature_def":
                raise ServingError(
                    Code.INVALID_ARGUMENT, f"Metadata field {field} is not supported"
                )
        spec, signatures = self._serving.metadata(asked)
        response = messages.GetModelMetadataResponse()
        _fill_spec(response.model_spec, spec)
        response.metadata["signature_def"].Pack(_signature_map(signatures))
        return response


def spec_of(message: Any) -> ModelSpec:
    """Reads the model from a message with a ``model_spec``."""
    spec = message.model_spec
    version = spec.version.value if spec.HasField("version") else None
    return ModelSpec(spec.name, version, spec.version_label, spec.signature_name)


def _asked(request: Any) -> ModelSpec:
    if not request.HasField("model_spec"):
        raise ServingError(Code.INVALID_ARGUMENT, "Missing ModelSpec")
    return spec_of(request)


def _fill_spec(proto: Any, spec: ModelSpec) -> None:
    proto.name, proto.signature_name = spec.name, spec.signature_name
    proto.version.value = spec.version


def _examples(request: Any) -> list[bytes]:
    kind = request.input.WhichOneof("kind")
    if kind == "example_list":
        return [example.SerializeToString() for example in request.input.example_list.examples]
    if kind == "example_list_with_context":
        listed = request.input.example_list_with_context
        context = listed.context.SerializeToString()
        return [merge_examples(context, example.SerializeToString()) for example in listed.examples]
    return []


def _fill_classes(proto: Any, result: ClassifyResult) -> None:
    for classes in result.classifications:
        part = proto.classifications.add()
        for label, score in classes:
            try:
                part.classes.add(label=label.decode(), score=score)
            except UnicodeDecodeError as exc:
                raise ServingError(
                    Code.INTERNAL, f"The model's label {label!r} is no UTF-8."
                ) from exc


def _fill_numbers(proto: Any, result: RegressResult) -> None:
    for value in result.values:
        proto.regressions.add(value=value)


def _signature_map(signatures: Mapping[str, Signature]) -> Any:
    listed = messages.SignatureDefMap()
    for name, signature in signatures.items():
        proto = listed.signature_def[name]
        proto.method_name = signature.method_name
        for infos, filled in (
            (signature.inputs, proto.inputs),
            (signature.outputs, proto.outputs),
        ):
            for key, info in infos.items():
                filled[key].name = info.name
                filled[key].dtype = DATA_TYPES.get(info.dtype, 0)
                shape = filled[key].tensor_shape
                shape.unknown_rank = info.shape is None
                for size in info.shape or ():
                    shape.dim.add(size=size)
    return listed
