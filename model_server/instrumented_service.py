"""Counts the runs of models, their time and their rows."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from image_classifier import Classifier
from image_classifier.model_files.signatures import Array
from image_classifier.models.loaded_model import LoadedModel
from image_classifier.protocols.tf_serving.service import TensorFlowServing
from model_server.metrics import Metrics

__all__ = ["InstrumentedService"]

# TensorFlow Serving's name for a session that runs a signature.
_SESSION = "TF1"


class InstrumentedService(TensorFlowServing):
    """The protocol, which tells the metrics of each run.

    Args:
        classifier: has the models.
        metrics: counts.
        allow_unavailable_labels: a label may stand for a version that is not loaded.
    """

    def __init__(
        self, classifier: Classifier, metrics: Metrics, *, allow_unavailable_labels: bool = False
    ) -> None:
        super().__init__(classifier, allow_unavailable_labels=allow_unavailable_labels)
        self._metrics = metrics

    def run_signature(
        self,
        loaded: LoadedModel,
        signature_name: str,
        inputs: Mapping[str, Array],
        outputs: Sequence[str],
    ) -> dict[str, Array]:
        """Runs a signature and counts the run, its time and its rows."""
        started = time.perf_counter()
        arrays = super().run_signature(loaded, signature_name, inputs, outputs)
        seconds = time.perf_counter() - started
        runtime = _SESSION if loaded.engine_name == "tensorflow" else loaded.engine_name
        if loaded.provider:
            runtime = f"{runtime}:{loaded.provider}"
        rows = max((array.shape[0] for array in inputs.values() if array.ndim), default=1)
        self._metrics.add_run(loaded.name, runtime, seconds, rows)
        return arrays
