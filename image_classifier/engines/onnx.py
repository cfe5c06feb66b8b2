"""Runs ONNX models (``model.onnx``) with ONNX Runtime: small, quick to start, no TensorFlow.

ONNX Runtime hands parts of the graph, or all of it, to execution providers: GPUs, NPUs and other
accelerators. The configured ones are tried in order; missing ones are passed over.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from image_classifier.concurrency.compute_slots import usable_cores
from image_classifier.engines.base import EngineOptions, first_line
from image_classifier.engines.importing import importing
from image_classifier.engines.onnx_metadata import (
    OnnxNode,
    is_channels_first,
    node_called,
    onnx_input_spec,
)
from image_classifier.errors import ModelError
from image_classifier.model_files.input_spec import InputSpec
from image_classifier.model_files.labels import read_labels

with importing("onnxruntime"):
    import onnxruntime as ort

__all__ = ["OnnxEngine", "load"]

logger = logging.getLogger(__name__)

_CPU = "CPUExecutionProvider"
_LOG_ERRORS_ONLY = 3
_RECORD_ASSIGNMENT = "session.record_ep_graph_assignment_info"


def load(weights: Path, input_spec: InputSpec | None, options: EngineOptions) -> OnnxEngine:
    """Loads an ONNX model.

    Args:
        weights: the ``model.onnx``.
        input_spec: from ``model.json``; without it the file's metadata must have one.
        options: execution providers, their options, and threads.

    Raises:
        ModelError: the file is not such a model, or a provider refuses it; the message names it
            and the reason.
    """
    session = _session(weights, options)
    inputs = {node.name: _node(node) for node in session.get_inputs()}
    outputs = {node.name: _node(node) for node in session.get_outputs()}
    metadata = session.get_modelmeta().custom_metadata_map
    input_spec = onnx_input_spec(weights, input_spec, metadata, inputs, outputs)
    return OnnxEngine(weights, session, input_spec)


class OnnxEngine:
    """One session, which all threads share.

    Attributes:
        input_spec: names, size and preprocessing of the input.
        provider: the first execution provider that runs a part of the graph.
    """

    def __init__(self, weights: Path, session: ort.InferenceSession, input_spec: InputSpec) -> None:
        self.input_spec = input_spec
        self.provider = _active_providers(session)[0]
        self._session = session
        inputs = {node.name: _node(node) for node in session.get_inputs()}
        outputs = {node.name: node.type for node in session.get_outputs()}
        self._input = node_called(input_spec.input_name, inputs, weights)
        self._output = node_called(input_spec.output_name, outputs, weights)
        self._channels_first = is_channels_first(inputs[self._input], input_spec)
        self._dtype = inputs[self._input].dtype
        # Custom Vision's oldest exports return a map from label to probability.
        is_map = "map(" in outputs[self._output]
        self._labels = read_labels(weights.parent) if is_map else None

    def predict(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """See ``Engine.predict``; ModelError if the model cannot take the batch."""
        if self._channels_first:
            batch = batch.transpose(0, 3, 1, 2)
        tensor = np.ascontiguousarray(batch, self._dtype)
        try:
            scores = self._session.run([self._output], {self._input: tensor})[0]
            if self._labels is not None:
                rows = [[row[label] for label in self._labels] for row in scores]
                scores = np.array(rows, np.float32)
        except KeyError as exc:
            raise ModelError(
                f"The model's output has no label {exc}, which labels.txt has."
            ) from exc
        except Exception as exc:  # ONNX Runtime's errors share no base class
            raise ModelError(
                f"The model cannot run on an input of shape {list(batch.shape)}: {first_line(exc)}."
            ) from exc
        result: NDArray[np.float32] = np.asarray(scores, np.float32)
        return result


def _node(node: Any) -> OnnxNode:
    return OnnxNode(
        node.shape,
        is_text=node.type.endswith("string)"),
        is_half=node.type == "tensor(float16)",
    )


def _session(weights: Path, options: EngineOptions) -> ort.InferenceSession:
    session_options = ort.SessionOptions()
    session_options.log_severity_level = _LOG_ERRORS_ONLY
    # Never 0: with that, ONNX Runtime binds its threads to cores one by one, where they wait for
    # other threads there, and ignores that a process may be allowed only some cores.
    session_options.intra_op_num_threads = options.threads or usable_cores()
    # Threads that wait sleep instead of spinning. Spinning gains a little for one request alone on
    # an idle machine, and costs up to half of the throughput as soon as two come together.
    session_options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session_options.inter_op_num_threads = 1  # classifiers are chains: nothing to run side by side
    providers = _providers(options.providers)
    provider_options = [dict(options.provider_options.get(name, {})) for name in providers]
    if providers != [_CPU]:
        session_options.add_session_config_entry(_RECORD_ASSIGNMENT, "1")
    try:
        session = ort.InferenceSession(
            weights.read_bytes(),
            session_options,
            providers=providers,
            provider_options=provider_options,
        )
    except OSError as exc:
        raise ModelError(f"{weights} cannot be read: {exc.strerror}.") from exc
    except Exception as exc:  # ONNX Runtime's errors share no base class
        raise ModelError(
            f"{weights} is not an ONNX model that this ONNX Runtime can load: {first_line(exc)}."
        ) from exc
    # A provider that is built in may still lack its libraries or its device, or run nothing of the
    # model: AzureExecutionProvider, in every build, runs only operators that call a service.
    active = _active_providers(session)
    for name in providers:
        if name not in session.get_providers():
            logger.warning("%s (ONNX_PROVIDERS) finds no device or library here: skipped", name)
        elif name != _CPU and name not in active:
            logger.warning("%s (ONNX_PROVIDERS) can run no part of this model: skipped", name)
    return session


def _active_providers(session: ort.InferenceSession) -> list[str]:
    """The session's providers that run a part of the graph, in order; all where that is unknown."""
    providers: list[str] = session.get_providers()
    if providers == [_CPU]:
        return providers
    try:
        used = {part.ep_name for part in session.get_provider_graph_assignment_info()}
    except Exception:  # another build of ONNX Runtime, whose errors share no base class
        return providers
    return [name for name in providers if name in used] or providers


def _providers(configured: tuple[str, ...]) -> list[str]:
    """The configured providers that this build has, in order, and the CPU for the rest."""
    available = ort.get_available_providers()
    for name in configured:
        if name not in available:
            logger.warning("%s (ONNX_PROVIDERS) is not in this ONNX Runtime: skipped", name)
    usable = [name for name in configured if name in available]
    return usable if _CPU in usable else [*usable, _CPU]
