"""The runtimes that can run a model: one module each, chosen from a table, imported late."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from image_classifier.contract import Contract
from image_classifier.errors import ModelError
from image_classifier.signatures import Servable

__all__ = [
    "ENGINES",
    "SAVED_MODEL",
    "Engine",
    "EngineKind",
    "EngineOptions",
    "SavedModelEngine",
    "choose_engine",
    "detection_export",
    "first_line",
    "weights_files",
]


class Engine(Protocol):
    """A loaded graph. Safe to call from many threads at once."""

    contract: Contract

    def run(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Runs the graph.

        Args:
            batch: float32 [N, height, width, channels], preprocessed as the contract says.

        Returns:
            float32 [N, K], one score for each label.
        """
        ...


# A SavedModel says itself what it takes and gives; the other files are bare graphs.
SAVED_MODEL = "saved_model.pb"


class SavedModelEngine(Servable, Protocol):
    """A loaded SavedModel: its own signatures, and an image classifier if it is told how."""

    def classifier(self, contract: Contract) -> Engine:
        """The engine that takes preprocessed images.

        Args:
            contract: names input and output as one of the signatures or as the graph does.

        Raises:
            ModelError: there are no such tensors.
        """
        ...

    def close(self) -> None:
        """Gives back what it holds; nothing may run any more."""
        ...


@dataclass(frozen=True)
class EngineOptions:
    """How an engine should run.

    Attributes:
        threads: for one inference; 0 leaves it to the engine.
        providers: ONNX Runtime's execution providers, the preferred first.
        provider_options: what each of them is told, by its name.
        openvino_device: what OpenVINO runs on: "CPU", "GPU", "NPU" or "AUTO".
    """

    threads: int = 0
    providers: tuple[str, ...] = ("CPUExecutionProvider",)
    provider_options: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    openvino_device: str = "CPU"


@dataclass(frozen=True)
class EngineKind:
    """One row of the table.

    Attributes:
        name: what ``ENGINE`` and ``X-Engine`` call it.
        weights: the files in a version folder that it runs, the preferred first.
        package: the Python package it needs.
        module: ours that has ``load(weights, contract or None, options) -> Engine``, and for a
            SavedModel ``load_saved_model(weights, options) -> SavedModelEngine``.
    """

    name: str
    weights: tuple[str, ...]
    package: str
    module: str

    def is_installed(self) -> bool:
        """Whether the package is there; it is looked for, not imported."""
        return importlib.util.find_spec(self.package) is not None

    def find(self, folder: Path) -> Path | None:
        """The file in a version folder that it would run, or None."""
        paths = (folder / name for name in self.weights)
        return next((path for path in paths if path.is_file()), None)

    def load(self, weights: Path, contract: Contract | None, options: EngineOptions) -> Engine:
        """Imports the runtime and loads the weights; ModelError says what is wrong with them."""
        engine: Engine = importlib.import_module(self.module).load(weights, contract, options)
        return engine

    def load_saved_model(self, weights: Path, options: EngineOptions) -> SavedModelEngine:
        """Likewise for a ``saved_model.pb``."""
        module = importlib.import_module(self.module)
        engine: SavedModelEngine = module.load_saved_model(weights, options)
        return engine


# In the order in which ENGINE=auto tries them.
ENGINES: Mapping[str, EngineKind] = {
    kind.name: kind
    for kind in (
        EngineKind("onnx", ("model.onnx",), "onnxruntime", "image_classifier.engines.onnx"),
        EngineKind("openvino", ("model.onnx",), "openvino", "image_classifier.engines.openvino"),
        EngineKind(
            "tensorflow",
            ("model.pb", SAVED_MODEL),
            "tensorflow",
            "image_classifier.engines.tensorflow",
        ),
        # Last: these files may have float16 or 8-bit weights, the others are exact.
        EngineKind(
            "tflite", ("model.tflite",), "ai_edge_litert", "image_classifier.engines.tflite"
        ),
    )
}


def weights_files() -> tuple[str, ...]:
    """The names of files that some engine can run, each once."""
    return tuple(dict.fromkeys(name for kind in ENGINES.values() for name in kind.weights))


def choose_engine(folder: Path, wanted: str) -> tuple[EngineKind, Path]:
    """Picks the engine for a version folder, and the file that it is to run.

    Args:
        folder: what holds the weights.
        wanted: "auto" or a name in ENGINES.

    Raises:
        ModelError: the folder has no weights for the engine, or the engine is not installed.
    """
    kinds = list(ENGINES.values()) if wanted == "auto" else [ENGINES[wanted]]
    present = [(kind, weights) for kind in kinds if (weights := kind.find(folder))]
    for kind, weights in present:
        if kind.is_installed():
            return kind, weights
    if present:
        needed = " or ".join(kind.package for kind, _ in present)
        raise ModelError(
            f"{present[0][1]} needs the package {needed}, which is not installed: "
            f"pip install {needed}."
        )
    names = " or ".join(dict.fromkeys(name for kind in kinds for name in kind.weights))
    raise ModelError(f"{folder} holds no model: put {names} and labels.txt there.")


def detection_export(weights: Path) -> ModelError:
    """What every engine says of an object detection export."""
    return ModelError(
        f"{weights} is an object detection export. This app serves classifiers: export a "
        "classification project."
    )


def first_line(exc: Exception) -> str:
    """A runtime's own words, without the pages that follow them and the full stop."""
    return str(exc).strip().split("\n", 1)[0].rstrip(".")
