"""Runs ONNX models (``model.onnx``) with OpenVINO: Intel's CPUs, and its GPUs and NPUs.

It is the runtime itself, not ONNX Runtime's provider of that name: ``onnxruntime-openvino`` lags
releases behind, and replaces ``onnxruntime``. It is not in requirements.txt, for it has 180 MB:
``pip install openvino``, then ``ENGINE=openvino``.
"""

from __future__ import annotations

import queue
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from image_classifier.concurrency.compute_slots import usable_cores
from image_classifier.engines.base import EngineOptions
from image_classifier.engines.importing import importing
from image_classifier.engines.onnx_metadata import (
    METADATA_KEYS,
    OnnxNode,
    is_channels_first,
    node_called,
    onnx_input_spec,
)
from image_classifier.errors import ModelError
from image_classifier.model_files.input_spec import InputSpec

with importing("openvino"):
    import openvino
    from openvino.frontend import FrontEndManager

__all__ = ["OpenVinoEngine", "load"]


def load(weights: Path, input_spec: InputSpec | None, options: EngineOptions) -> OpenVinoEngine:
    """Loads an ONNX model.

    Args:
        weights: the ``model.onnx``.
        input_spec: from ``model.json``; without it the file's metadata must have one.
        options: device and threads.

    Raises:
        ModelError: the file is not such a model, or the device is not there; the message names it
            and the reason.
    """
    core = openvino.Core()
    device = options.openvino_device
    if device not in (known := [*core.available_devices, "AUTO"]):
        raise ModelError(
            f"OPENVINO_DEVICE is {device!r}, but OpenVINO finds only {', '.join(known)} here."
        )
    model = _read(weights)
    inputs, outputs = _nodes(model.inputs), _nodes(model.outputs)
    input_spec = onnx_input_spec(weights, input_spec, _metadata(model), inputs, outputs)
    try:
        compiled = core.compile_model(model, device, _properties(device, options))
    except Exception as exc:  # OpenVINO's errors share no base class
        raise ModelError(f"{weights} cannot run on {device}: {_reason(exc)}.") from exc
    return OpenVinoEngine(weights, compiled, input_spec, inputs, device)


class OpenVinoEngine:
    """One compiled model, and a request to it for each thread that runs at the same time.

    Attributes:
        input_spec: names, size and preprocessing of the input.
        provider: the device.
    """

    def __init__(
        self,
        weights: Path,
        compiled: Any,
        input_spec: InputSpec,
        inputs: Mapping[str, OnnxNode],
        device: str,
    ) -> None:
        self.input_spec = input_spec
        self.provider = device
        self._compiled = compiled
        self._input = node_called(input_spec.input_name, inputs, weights)
        self._output = compiled.output(
            node_called(input_spec.output_name, _nodes(compiled.outputs), weights)
        )
        self._channels_first = is_channels_first(inputs[self._input], input_spec)
        self._dtype = inputs[self._input].dtype
        # A request holds the tensors of one run. Requests are made when needed, and kept.
        self._requests: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def predict(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """See ``Engine.predict``; ModelError if the model cannot take the batch."""
        if self._channels_first:
            batch = batch.transpose(0, 3, 1, 2)
        tensor = np.ascontiguousarray(batch, self._dtype)
        try:
            request = self._requests.get_nowait()
        except queue.Empty:
            request = self._compiled.create_infer_request()
        try:
            results = request.infer({self._input: tensor}, share_inputs=True)
            scores: NDArray[np.float32] = np.asarray(results[self._output], np.float32)
        except Exception as exc:  # OpenVINO's errors share no base class
            raise ModelError(
                f"The model cannot run on an input of shape {list(batch.shape)}: {_reason(exc)}."
            ) from exc
        finally:
            self._requests.put(request)
        return scores


def _read(weights: Path) -> Any:
    # Not Core.read_model, which tries every format that it knows on a file that is no ONNX.
    onnx = FrontEndManager().load_by_framework("onnx")
    try:
        if not weights.stat().st_size:
            raise ValueError("it is empty")
        return onnx.convert(onnx.load(str(weights)))
    except OSError as exc:
        raise ModelError(f"{weights} cannot be read: {exc.strerror}.") from exc
    except Exception as exc:  # OpenVINO's errors share no base class
        raise ModelError(
            f"{weights} is not an ONNX model that this OpenVINO can load: {_reason(exc)}."
        ) from exc


def _properties(device: str, options: EngineOptions) -> dict[str, Any]:
    properties: dict[str, Any] = {
        # The quickest single run: measured to be best for two callers at once as well.
        "PERFORMANCE_HINT": "LATENCY",
        # Otherwise processors with bfloat16 use it, and scores differ in the third digit.
        "INFERENCE_PRECISION_HINT": "f32",
    }
    if device == "CPU":
        properties["INFERENCE_NUM_THREADS"] = options.threads or usable_cores()
    return properties


def _nodes(ports: Any) -> dict[str, OnnxNode]:
    """Inputs or outputs by name; a port without a name cannot be requested."""
    return {
        port.any_name: OnnxNode(
            [size.get_length() if size.is_static else None for size in port.partial_shape],
            is_text=port.element_type == openvino.Type.string,
            is_half=port.element_type == openvino.Type.f16,
        )
        for port in ports
        if port.names
    }


def _metadata(model: Any) -> dict[str, str]:
    """The metadata keys of the ONNX file that are read; OpenVINO keeps them under ``framework``."""
    return {
        key: model.get_rt_info(["framework", key]).astype(str)
        for key in METADATA_KEYS
        if model.has_rt_info(["framework", key])
    }


def _reason(exc: Exception) -> str:
    """The line of OpenVINO's message that has the cause; the lines before it have the origin."""
    lines = [line.strip() for line in str(exc).splitlines() if line.strip()]
    passed_over = ("Exception from", "Check '", "FrontEnd API failed")
    causes = [line for line in lines if not line.startswith(passed_over)]
    return (causes or lines or ["it gives no reason"])[0].rstrip(".")
