"""Implements ModelService: the status of models, and a new configuration for the whole server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from image_classifier.models.serving_config import (
    AllVersions,
    Latest,
    ModelConfig,
    Specific,
    VersionPolicy,
    check_models,
)
from image_classifier.protocols.tf_serving.errors import Code, ServingError
from image_classifier.protocols.tf_serving.service import TensorFlowServing
from model_server.accelerated_models.requests import Metadata, with_service
from model_server.grpc import messages
from model_server.grpc.prediction_service import spec_of
from model_server.served_models import ServedModels

__all__ = ["ModelService"]


class ModelService:
    """The methods of the service: each takes a request and its metadata and returns a response.

    All of them raise ServingError.

    Args:
        serving: answers.
        models: the served models, which can be changed.
    """

    def __init__(self, serving: TensorFlowServing, models: ServedModels) -> None:
        self._serving = serving
        self._models = models

    def GetModelStatus(self, request: Any, metadata: Metadata) -> Any:
        """Returns the status of a model's versions."""
        if not request.HasField("model_spec"):
            raise ServingError(Code.INVALID_ARGUMENT, "Missing ModelSpec")
        response = messages.GetModelStatusResponse()
        spec = with_service(spec_of(request), metadata, self._serving)
        for status in self._serving.status(spec):
            part = response.model_version_status.add(version=status.version)
            part.state = part.State.Value(status.state)
            part.status.error_code = status.error_code
            part.status.error_message = status.error_message
        return response

    def HandleReloadConfigRequest(self, request: Any, metadata: Metadata) -> Any:
        """Applies a new configuration; the response has its error, if there is one."""
        chosen = request.config.WhichOneof("config")
        if chosen == "custom_model_config":
            raise ServingError(
                Code.FAILED_PRECONDITION,
                "Cannot transition to requested config. It is only legal to transition from one "
                "ModelConfigList to another.",
            )
        if chosen is not None:  # without a list nothing changes, as in TensorFlow Serving
            listed = [_config(each) for each in request.config.model_config_list.config]
            try:
                check_models(listed, where="config")
            except ValueError as exc:
                raise ServingError(Code.INVALID_ARGUMENT, str(exc)) from exc
            self._models.configure(listed)
        return messages.ReloadConfigResponse(status={"error_code": Code.OK})


def _config(proto: Any) -> ModelConfig:
    if proto.model_platform not in ("", "tensorflow"):
        raise ServingError(
            Code.INVALID_ARGUMENT,
            f'The model platform {proto.model_platform!r} is not supported, only "tensorflow" is.',
        )
    return ModelConfig(
        proto.name,
        Path(proto.base_path),
        _policy(proto.model_version_policy),
        dict(proto.version_labels),
    )


def _policy(proto: Any) -> VersionPolicy:
    match proto.WhichOneof("policy_choice"):
        case "all":
            return AllVersions()
        case "specific":
            return Specific(tuple(proto.specific.versions))
    return Latest(proto.latest.num_versions or 1)
