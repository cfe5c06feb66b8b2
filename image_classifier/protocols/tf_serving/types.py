"""Defines requests and answers of TensorFlow Serving's API, without protocol buffers or JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from image_classifier.model_files.signatures import Array
from image_classifier.protocols.tf_serving.errors import Code

__all__ = ["ModelSpec", "PredictResult", "VersionStatus"]


@dataclass(frozen=True)
class ModelSpec:
    """Names a model, a version and a signature: as requested, or (all filled in) as used.

    Attributes:
        name: "" means the default model.
        version: None unless named.
        version_label: "" unless named; a version and a label exclude each other.
        signature_name: "" means ``serving_default``.
    """

    name: str = ""
    version: int | None = None
    version_label: str = ""
    signature_name: str = ""


@dataclass(frozen=True)
class PredictResult:
    """The answer of one signature.

    Attributes:
        spec: the model that answered.
        outputs: an array for each output, by the names that the caller uses.
    """

    spec: ModelSpec
    outputs: Mapping[str, Array]


@dataclass(frozen=True)
class VersionStatus:
    """The state of one version.

    Attributes:
        version: its number.
        state: ``START``, ``LOADING``, ``AVAILABLE``, ``UNLOADING`` or ``END``.
        error_code: of the failure; ``OK`` if there is none.
        error_message: of the failure, or "".
    """

    version: int
    state: str
    error_code: Code = Code.OK
    error_message: str = ""
