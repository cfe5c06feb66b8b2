"""Describes TensorFlow Serving's ``ModelServerConfig`` for the reader of the text format."""

from __future__ import annotations

from image_classifier.models.text_proto import EnumType, Field, MessageType, Scalar

__all__ = ["MODEL_SERVER_CONFIG"]

_STRING, _DOUBLE, _INT64 = Field(Scalar.STRING), Field(Scalar.DOUBLE), Field(Scalar.INT64)

_ANY = MessageType({"type_url": _STRING, "value": Field(Scalar.BYTES)})
_LATEST = MessageType({"num_versions": Field(Scalar.UINT32)})
_SPECIFIC = MessageType({"versions": Field(Scalar.INT64, repeated=True)})
_POLICY = MessageType(
    {
        "latest": Field(_LATEST, oneof="policy_choice"),
        "all": Field(MessageType({}), oneof="policy_choice"),
        "specific": Field(_SPECIFIC, oneof="policy_choice"),
    }
)
_PER_TASK_SAMPLING = MessageType(
    {
        "dc": _STRING,
        "task_index": Field(Scalar.INT32, optional=True),
        "sampling_rate": _DOUBLE,
    }
)
_SAMPLING = MessageType(
    {
        "sampling_rate": _DOUBLE,
        "per_task_sampling_configs": Field(_PER_TASK_SAMPLING, repeated=True),
        "attributes": Field(Scalar.INT32),
    }
)
_LOGGING = MessageType(
    {
        "log_collector_config": Field(MessageType({"type": _STRING, "filename_prefix": _STRING})),
        "sampling_config": Field(_SAMPLING),
        "custom_logging_config": Field(_ANY),
    }
)
_MODEL = MessageType(
    {
        "name": _STRING,
        "base_path": _STRING,
        "model_type": Field(EnumType({"MODEL_TYPE_UNSPECIFIED": 0, "TENSORFLOW": 1, "OTHER": 2})),
        "model_platform": _STRING,
        "model_version_policy": Field(_POLICY),
        "version_labels": Field(MessageType({"key": _STRING, "value": _INT64}), repeated=True),
        "logging_config": Field(_LOGGING),
    }
)
_MODEL_LIST = MessageType({"config": Field(_MODEL, repeated=True)})

MODEL_SERVER_CONFIG = MessageType(
    {
        "model_config_list": Field(_MODEL_LIST, oneof="config"),
        "custom_model_config": Field(_ANY, oneof="config"),
    }
)
