"""Lists the engines in a table, and chooses one for a version folder; imports none of them."""

from __future__ import annotations

import importlib
import importlib.util
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from image_classifier.engines.base import Engine, EngineOptions, SavedModelEngine
from image_classifier.engines.importing import import_failure
from image_classifier.errors import ModelError
from image_classifier.model_files.input_spec import InputSpec

__all__ = [
    "ENGINES",
    "SAVED_MODEL",
    "EngineKind",
    "choose_engine",
    "import_engine",
    "weights_files",
]

logger = logging.getLogger(__name__)

# A SavedModel has signatures of its own; the other files are bare graphs.
SAVED_MODEL = "saved_model.pb"


@dataclass(frozen=True)
class EngineKind:
    """One row of the table.

    Attributes:
        name: its name in ``ENGINE`` and ``X-Engine``.
        weights: the files in a version folder that it runs, the preferred first.
        package: the Python package that it needs.
        module: our module with ``load(weights, input_spec or None, options) -> Engine``, and for a
            SavedModel ``load_saved_model(weights, options) -> SavedModelEngine``.
    """

    name: str
    weights: tuple[str, ...]
    package: str
    module: str

    def is_installed(self) -> bool:
        """Whether the package is installed; nothing is imported to find out."""
        return importlib.util.find_spec(self.package) is not None

    @property
    def failure(self) -> str | None:
        """Why the package cannot be imported; None if it can, and before the first try."""
        return import_failure(self.package)

    def find(self, folder: Path) -> Path | None:
        """The file in a version folder that this engine would run, or None."""
        paths = (folder / name for name in self.weights)
        return next((path for path in paths if path.is_file()), None)

    def import_module(self) -> ModuleType:
        """Imports our module and with it the runtime; raises ModelError if that fails."""
        return importlib.import_module(self.module)

    def load(self, weights: Path, input_spec: InputSpec | None, options: EngineOptions) -> Engine:
        """Imports the runtime and loads the weights; raises ModelError if they cannot be used."""
        engine: Engine = self.import_module().load(weights, input_spec, options)
        return engine

    def load_saved_model(self, weights: Path, options: EngineOptions) -> SavedModelEngine:
        """Likewise for a ``saved_model.pb``."""
        engine: SavedModelEngine = self.import_module().load_saved_model(weights, options)
        return engine


# ENGINE=auto tries them in this order.
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
    """The names of all files that an engine can run, each once."""
    return tuple(dict.fromkeys(name for kind in ENGINES.values() for name in kind.weights))


def choose_engine(folder: Path, engine: str) -> tuple[EngineKind, Path]:
    """Chooses the engine for a version folder, and the file that the engine will run.

    Imports nothing; passes over an engine whose import has failed if another one will do.

    Args:
        folder: the version folder.
        engine: "auto" or a name in ENGINES.

    Raises:
        ModelError: the folder has no weights for the engine, or the engine is not installed, or
            its import has failed.
    """
    kinds = list(ENGINES.values()) if engine == "auto" else [ENGINES[engine]]
    present = [(kind, weights) for kind in kinds if (weights := kind.find(folder))]
    installed = [(kind, weights) for kind, weights in present if kind.is_installed()]
    for kind, weights in installed:
        if kind.failure is None:
            return kind, weights
    if installed:
        raise ModelError(installed[0][0].failure or "")
    if present:
        needed = " or ".join(kind.package for kind, _ in present)
        raise ModelError(
            f"{present[0][1]} needs the package {needed}, which is not installed: "
            f"pip install {needed}."
        )
    names = " or ".join(dict.fromkeys(name for kind in kinds for name in kind.weights))
    raise ModelError(f"{folder} holds no model: put {names} and labels.txt there.")


def import_engine(folder: Path, engine: str) -> tuple[EngineKind, Path]:
    """Chooses as ``choose_engine`` does, and imports the engine, which can run then.

    With "auto" an engine that cannot be imported gives way to the next one, with a warning: the
    callers get their answers, and the log tells the operator to mend the first.

    Raises:
        ModelError: as ``choose_engine``, or no suitable engine can be imported.
    """
    while True:
        kind, weights = choose_engine(folder, engine)
        try:
            kind.import_module()
        except ModelError as exc:
            if kind.failure is None:
                raise
            logger.warning(exc.message)  # choose_engine passes it over now
        else:
            return kind, weights
