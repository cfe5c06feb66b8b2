"""Defines the interface of an engine, its options, and the messages that engines share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from image_classifier.errors import ModelError
from image_classifier.model_files.input_spec import InputSpec
from image_classifier.model_files.signatures import Servable

__all__ = ["Engine", "EngineOptions", "SavedModelEngine", "detection_export", "first_line"]


class Engine(Protocol):
    """A loaded graph. Safe to call from many threads at once."""

    input_spec: InputSpec

    def predict(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Runs the graph.

        Args:
            batch: float32 [N, height, width, channels], preprocessed as the input specification
                says.

        Returns:
            float32 [N, K], one score for each label.
        """
        ...


class SavedModelEngine(Servable, Protocol):
    """A loaded SavedModel: its own signatures, and an image classifier given an input spec."""

    def classifier(self, input_spec: InputSpec) -> Engine:
        """Makes the engine that takes preprocessed images.

        Args:
            input_spec: names input and output as one of the signatures or as the graph does.

        Raises:
            ModelError: there are no such tensors.
        """
        ...

    def close(self) -> None:
        """Frees the model's memory; nothing may run any more."""
        ...


@dataclass(frozen=True)
class EngineOptions:
    """The settings of an engine.

    Attributes:
        threads: for one inference; 0 leaves it to the engine.
        providers: ONNX Runtime's execution providers, the preferred first.
        provider_options: the options of each provider, by its name.
        openvino_device: the device that OpenVINO uses: "CPU", "GPU", "NPU" or "AUTO".
    """

    threads: int = 0
    providers: tuple[str, ...] = ("CPUExecutionProvider",)
    provider_options: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    openvino_device: str = "CPU"


def detection_export(weights: Path) -> ModelError:
    """Every engine's error for an object detection export."""
    return ModelError(
        f"{weights} is an object detection export. This app serves classifiers: export a "
        "classification project."
    )


def first_line(exc: Exception) -> str:
    """The first line of a runtime's message, without the full stop; pages may follow it."""
    return str(exc).strip().split("\n", 1)[0].rstrip(".")
