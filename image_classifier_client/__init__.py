"""Asks a served image classifier over gRPC; needs neither TensorFlow nor the server's code."""

from image_classifier_client.async_client import AsyncPredictionClient
from image_classifier_client.client import PredictionClient
from image_classifier_client.errors import (
    Busy,
    DeadlineExceeded,
    InvalidInput,
    NotFound,
    PredictionError,
    ServerError,
    TooLarge,
    Unauthorized,
    Unavailable,
)
from image_classifier_client.results import (
    Classification,
    ModelMetadata,
    Signature,
    TensorInfo,
    VersionStatus,
)

__all__ = [
    "AsyncPredictionClient",
    "Busy",
    "Classification",
    "DeadlineExceeded",
    "InvalidInput",
    "ModelMetadata",
    "NotFound",
    "PredictionClient",
    "PredictionError",
    "ServerError",
    "Signature",
    "TensorInfo",
    "TooLarge",
    "Unauthorized",
    "Unavailable",
    "VersionStatus",
]
