"""The runtimes that can run a model: one module each, chosen from a table, imported late."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from image_classifier.contract import Contract
from image_classifier.errors import ModelError

__all__ = [
    "ENGINES",
    "Engine",
    "EngineKind",
    "EngineOptions",
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


@dataclass(frozen=True)
class EngineOptions:
    """How an engine should run.

    Attributes:
        threads: for one inference; 0 leaves it to the engine.
        providers: ONNX Runtime's execution providers, the preferred first.
    """

    threads: int = 0
    providers: tuple[str, ...] = ("CPUExecutionProvider",)


@dataclass(frozen=True)
class EngineKind:
    """One row of the table.

    Attributes:
        name: what ``ENGINE`` and ``X-Engine`` call it.
        weights: the file in a version folder that it runs.
        package: the Python package it needs.
        module: ours that has ``load(weights, contract or None, options) -> Engine``.
    """

    name: str
    weights: str
    package: str
    module: str

    def is_installed(self) -> bool:
        """Whether the package is there; it is looked for, not imported."""
        return importlib.util.find_spec(self.package) is not None

    def load(self, weights: Path, contract: Contract | None, options: EngineOptions) -> Engine:
        """Imports the runtime and loads the weights; ModelError says what is wrong with them."""
        engine: Engine = importlib.import_module(self.module).load(weights, contract, options)
        return engine


# In the order in which ENGINE=auto tries them.
ENGINES: Mapping[str, EngineKind] = {
    kind.name: kind
    for kind in (
        EngineKind("onnx", "model.onnx", "onnxruntime", "image_classifier.engines.onnx"),
        EngineKind("tensorflow", "model.pb", "tensorflow", "image_classifier.engines.tensorflow"),
    )
}


def weights_files() -> tuple[str, ...]:
    """The names of files that some engine can run, each once."""
    return tuple(dict.fromkeys(kind.weights for kind in ENGINES.values()))


def choose_engine(folder: Path, wanted: str) -> EngineKind:
    """Picks the engine for a version folder.

    Args:
        folder: what holds the weights.
        wanted: "auto" or a name in ENGINES.

    Raises:
        ModelError: the folder has no weights for the engine, or the engine is not installed.
    """
    kinds = list(ENGINES.values()) if wanted == "auto" else [ENGINES[wanted]]
    present = [kind for kind in kinds if (folder / kind.weights).is_file()]
    for kind in present:
        if kind.is_installed():
            return kind
    if present:
        needed = " or ".join(kind.package for kind in present)
        raise ModelError(
            f"{folder / present[0].weights} needs the package {needed}, which is not installed: "
            f"pip install {needed}."
        )
    names = " or ".join(kind.weights for kind in kinds)
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
