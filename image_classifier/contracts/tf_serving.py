"""TensorFlow Serving's contract on NumPy arrays: what gRPC and REST both answer with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from image_classifier.classifier import Classifier
from image_classifier.signatures import Array, Signature

__all__ = [
    "ClassifyResult",
    "ModelSpec",
    "PredictResult",
    "RegressResult",
    "TensorFlowServing",
    "VersionStatus",
]


@dataclass(frozen=True)
class ModelSpec:
    """Which model, version and signature: as asked for, or (all filled in) as used.

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
    spec: ModelSpec
    outputs: Mapping[str, Array]


@dataclass(frozen=True)
class ClassifyResult:
    """``classes[i]`` are pairs of label and score; a label is "" where the model gives none."""

    spec: ModelSpec
    classifications: Sequence[Sequence[tuple[str, float]]]


@dataclass(frozen=True)
class RegressResult:
    spec: ModelSpec
    values: Sequence[float]


@dataclass(frozen=True)
class VersionStatus:
    version: int
    state: str  # START LOADING AVAILABLE UNLOADING END
    error_code: int
    error_message: str


class TensorFlowServing:
    """INTERFACE SKETCH, being written."""

    def __init__(self, classifier: Classifier) -> None: ...

    def predict(
        self, spec: ModelSpec, inputs: Mapping[str, Array], output_filter: Sequence[str] = ()
    ) -> PredictResult: ...

    # examples: serialized tensorflow.Example messages
    def classify(self, spec: ModelSpec, examples: Sequence[bytes]) -> ClassifyResult: ...

    def regress(self, spec: ModelSpec, examples: Sequence[bytes]) -> RegressResult: ...

    def metadata(self, spec: ModelSpec) -> tuple[ModelSpec, Mapping[str, Signature]]: ...

    def status(self, spec: ModelSpec) -> list[VersionStatus]: ...
