"""Imports the old client of Azure ML's accelerated models from its package."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

__all__ = ["old_client"]


def old_client() -> Any:
    """Returns the module with ``PredictionClient``, unchanged.

    The package around it imports all of Azure ML's SDK, for deploying to a service that is gone. So
    its folder is entered past that ``__init__``, and the one name that the module itself imports
    of the SDK, to annotate an argument, is replaced by a placeholder.

    Raises:
        ImportError: the package, azureml-accel-models, is not installed.
    """
    if "azureml.accel._client" not in sys.modules:
        azureml = importlib.import_module("azureml")
        accel = ModuleType("azureml.accel")
        accel.__path__ = [str(Path(folder) / "accel") for folder in azureml.__path__]
        sys.modules["azureml.accel"] = accel
        for name in ("core", "core.webservice", "core.webservice.aks"):
            sys.modules[f"azureml.{name}"] = ModuleType(f"azureml.{name}")
        aks: Any = sys.modules["azureml.core.webservice.aks"]
        aks.AksWebservice = object
    return importlib.import_module("azureml.accel._client")
