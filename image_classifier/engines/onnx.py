"""Runs ONNX models (``model.onnx``) with ONNX Runtime: small, quick to start, no TensorFlow.

A file that ``tools.convert`` made carries its contract in its metadata. Custom Vision's own ONNX
export carries pixel format and range there. Any other file needs a ``model.json`` beside it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from image_classifier.compute_slots import usable_cores
from image_classifier.contract import CHANNELS, Contract, parse_contract
from image_classifier.engines import EngineOptions, detection_export, first_line
from image_classifier.errors import ModelError
from image_classifier.labels import read_labels

__all__ = ["CONTRACT_KEY", "OnnxEngine", "load"]

logger = logging.getLogger(__name__)

# Where tools.convert keeps the contract in a file's metadata.
CONTRACT_KEY = "image_classifier.contract"

# Custom Vision's own ONNX export says how it is fed in the words of Windows ML.
_PIXEL_FORMAT, _PIXEL_RANGE = "Image.BitmapPixelFormat", "Image.NominalPixelRange"
_CHANNELS_OF = {"bgr8": "BGR", "rgb8": "RGB", "bgra8": "BGR", "rgba8": "RGB", "gray8": "GRAY"}
_SCALE_OF = {"nominalrange_0_255": 1.0, "nominal_0_255": 1.0, "normalized_0_1": 1 / 255}

_LOG_ERRORS_ONLY = 3


def load(weights: Path, contract: Contract | None, options: EngineOptions) -> OnnxEngine:
    """Loads an ONNX model.

    Args:
        weights: the ``model.onnx``.
        contract: from ``model.json``; without it the file's metadata must say how it is fed.
        options: execution providers and threads.

    Raises:
        ModelError: the file is not such a model; the message names it and the reason.
    """
    session = _session(weights, options)
    inputs = {node.name: node for node in session.get_inputs()}
    outputs = {node.name: node for node in session.get_outputs()}
    metadata = session.get_modelmeta().custom_metadata_map
    if contract is None:
        contract = _contract_from(weights, metadata, inputs, outputs)
    elif CONTRACT_KEY in metadata:
        # The model.json may be a SavedModel's: conversion gave the tensors other names.
        own = _contract_from(weights, metadata, inputs, outputs)
        contract = replace(contract, input_name=own.input_name, output_name=own.output_name)
    return OnnxEngine(weights, session, contract, inputs, outputs)


class OnnxEngine:
    """One session, which all threads share."""

    def __init__(
        self,
        weights: Path,
        session: ort.InferenceSession,
        contract: Contract,
        inputs: Mapping[str, Any],
        outputs: Mapping[str, Any],
    ) -> None:
        self.contract = contract
        self.provider: str = session.get_providers()[0]
        self._session = session
        self._input = _named(contract.input_name, inputs, weights)
        self._output = _named(contract.output_name, outputs, weights)
        shape = inputs[self._input].shape
        self._channels_first = len(shape) == 4 and shape[1] == CHANNELS[contract.channels]
        # Custom Vision's flavour OnnxFloat16 wants half as many bytes in, and gives as many.
        is_half = inputs[self._input].type == "tensor(float16)"
        self._dtype = np.float16 if is_half else np.float32
        # The oldest of Custom Vision's exports give a map from label to probability.
        is_map = "map(" in outputs[self._output].type
        self._labels = read_labels(weights.parent) if is_map else None

    def run(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """See ``Engine.run``; ModelError if the model cannot take the batch."""
        if self._channels_first:
            batch = batch.transpose(0, 3, 1, 2)
        fed = np.ascontiguousarray(batch, self._dtype)
        try:
            scores = self._session.run([self._output], {self._input: fed})[0]
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


def _session(weights: Path, options: EngineOptions) -> ort.InferenceSession:
    session_options = ort.SessionOptions()
    session_options.log_severity_level = _LOG_ERRORS_ONLY
    # Never 0: with that, ONNX Runtime binds its threads to cores one by one, where they wait for
    # whatever else runs there, and takes no notice of a process that may use only some cores.
    session_options.intra_op_num_threads = options.threads or usable_cores()
    # Threads that wait sleep instead of spinning. Spinning gains a little for one request alone on
    # an idle machine, and costs up to half of the throughput as soon as two come together.
    session_options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session_options.inter_op_num_threads = 1  # classifiers are chains: nothing to run side by side
    try:
        return ort.InferenceSession(
            weights.read_bytes(), session_options, providers=_providers(options.providers)
        )
    except OSError as exc:
        raise ModelError(f"{weights} cannot be read: {exc.strerror}.") from exc
    except Exception as exc:  # ONNX Runtime's errors share no base class
        raise ModelError(
            f"{weights} is not an ONNX model that this ONNX Runtime can load: {first_line(exc)}."
        ) from exc


def _providers(wanted: tuple[str, ...]) -> list[str]:
    """Those of the wanted providers that this build has, in order; the CPU if none of them is."""
    available = ort.get_available_providers()
    for name in wanted:
        if name not in available:
            logger.warning("%s (ONNX_PROVIDERS) is not in this ONNX Runtime: skipped", name)
    return [name for name in wanted if name in available] or ["CPUExecutionProvider"]


def _contract_from(
    weights: Path,
    metadata: Mapping[str, str],
    inputs: Mapping[str, Any],
    outputs: Mapping[str, Any],
) -> Contract:
    if CONTRACT_KEY in metadata:
        return parse_contract(metadata[CONTRACT_KEY], where=f"{weights}, {CONTRACT_KEY}")
    if _PIXEL_FORMAT in metadata and len(inputs) == 1:
        return _custom_vision_contract(weights, metadata, inputs, outputs)
    raise ModelError(
        f"{weights} does not say how it is fed (its inputs: {', '.join(inputs)}). Put a model.json "
        "beside it that names input, output, size and preprocessing; README shows one."
    )


def _custom_vision_contract(
    weights: Path,
    metadata: Mapping[str, str],
    inputs: Mapping[str, Any],
    outputs: Mapping[str, Any],
) -> Contract:
    pixels, scale = metadata[_PIXEL_FORMAT], metadata.get(_PIXEL_RANGE, "NominalRange_0_255")
    ((name, node),) = inputs.items()
    shape = node.shape
    channels = _CHANNELS_OF.get(pixels.lower())
    if channels is None or scale.lower() not in _SCALE_OF or len(shape) != 4:
        raise ModelError(
            f"{weights} wants {pixels} pixels, {scale}, in shape {shape}: not one of Custom "
            "Vision's kinds. Put a model.json beside it; README shows one."
        )
    if "detected_boxes" in outputs:
        raise detection_export(weights)
    # [N, 3, height, width]; the text output classLabel only repeats the best of the scores.
    height, width = shape[2:] if shape[1] == CHANNELS[channels] else shape[1:3]
    scores = [name for name, node in outputs.items() if node.type[-7:] != "string)"]
    return Contract(
        input_name=name,
        output_name="loss" if "loss" in outputs else scores[0],
        height=int(height),
        width=int(width),
        channels=channels,
        scale=_SCALE_OF[scale.lower()],
    )


def _named(tensor: str, nodes: Mapping[str, Any], weights: Path) -> str:
    # ONNX has no :0, but files made from TensorFlow keep it in their names.
    for name in (tensor, tensor.removesuffix(":0")):
        if name in nodes:
            return name
    raise ModelError(f"{weights} has no tensor {tensor!r}; it has: {', '.join(nodes)}.")
