"""Reads the input specification of an ONNX file from its metadata, for any runtime.

A file that ``tools.convert`` made carries its input specification there. Custom Vision's own ONNX
export carries pixel format and range. Any other file needs a ``model.json`` beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from image_classifier.engines.base import detection_export
from image_classifier.errors import ModelError
from image_classifier.model_files.input_spec import CHANNELS, InputSpec, parse_input_spec

__all__ = [
    "INPUT_SPEC_KEY",
    "METADATA_KEYS",
    "OnnxNode",
    "is_channels_first",
    "node_called",
    "onnx_input_spec",
]

# Where tools.convert keeps the input specification in a file's metadata.
INPUT_SPEC_KEY = "image_classifier.contract"

# Custom Vision's own ONNX export describes its input with the keys of Windows ML.
_PIXEL_FORMAT, _PIXEL_RANGE = "Image.BitmapPixelFormat", "Image.NominalPixelRange"
# All keys that are read.
METADATA_KEYS = (INPUT_SPEC_KEY, _PIXEL_FORMAT, _PIXEL_RANGE)
_CHANNELS_OF = {"bgr8": "BGR", "rgb8": "RGB", "bgra8": "BGR", "rgba8": "RGB", "gray8": "GRAY"}
_SCALE_OF = {"nominalrange_0_255": 1.0, "nominal_0_255": 1.0, "normalized_0_1": 1 / 255}


@dataclass(frozen=True)
class OnnxNode:
    """An input or output.

    Attributes:
        shape: a number for each fixed dimension, anything else for an open one.
        is_text: whether it is a tensor of strings.
        is_half: whether it is a tensor of float16, as in Custom Vision's flavour OnnxFloat16.
    """

    shape: Sequence[object]
    is_text: bool = False
    is_half: bool = False

    @property
    def dtype(self) -> type[np.floating[Any]]:
        """The dtype of its arrays."""
        return np.float16 if self.is_half else np.float32


def onnx_input_spec(
    weights: Path,
    input_spec: InputSpec | None,
    metadata: Mapping[str, str],
    inputs: Mapping[str, OnnxNode],
    outputs: Mapping[str, OnnxNode],
) -> InputSpec:
    """Combines the metadata of a file with its ``model.json``.

    Args:
        weights: the file, for the messages.
        input_spec: from ``model.json``; without it the metadata must have one.
        metadata: the file's own.
        inputs: by name.
        outputs: by name.

    Raises:
        ModelError: there is no specification, or it is an object detection export.
    """
    if input_spec is None:
        return _input_spec_from(weights, metadata, inputs, outputs)
    if INPUT_SPEC_KEY in metadata:
        # The model.json may be a SavedModel's: conversion gave the tensors other names.
        tensors = _input_spec_from(weights, metadata, inputs, outputs)
        return replace(input_spec, input_name=tensors.input_name, output_name=tensors.output_name)
    return input_spec


def node_called(tensor: str, nodes: Mapping[str, object], weights: Path) -> str:
    """The node's own name for a tensor of the input specification.

    Raises:
        ModelError: there is none.
    """
    # ONNX has no :0, but files made from TensorFlow keep it in their names.
    for name in (tensor, tensor.removesuffix(":0")):
        if name in nodes:
            return name
    raise ModelError(f"{weights} has no tensor {tensor!r}; it has: {', '.join(nodes)}.")


def is_channels_first(node: OnnxNode, input_spec: InputSpec) -> bool:
    """Whether the graph takes [N, channels, height, width]."""
    return len(node.shape) == 4 and node.shape[1] == CHANNELS[input_spec.channels]


def _input_spec_from(
    weights: Path,
    metadata: Mapping[str, str],
    inputs: Mapping[str, OnnxNode],
    outputs: Mapping[str, OnnxNode],
) -> InputSpec:
    if INPUT_SPEC_KEY in metadata:
        return parse_input_spec(metadata[INPUT_SPEC_KEY], where=f"{weights}, {INPUT_SPEC_KEY}")
    if _PIXEL_FORMAT in metadata and len(inputs) == 1:
        return _custom_vision_input_spec(weights, metadata, inputs, outputs)
    raise ModelError(
        f"{weights} does not say how it is fed (its inputs: {', '.join(inputs)}). Put a model.json "
        "beside it that names input, output, size and preprocessing; README shows one."
    )


def _custom_vision_input_spec(
    weights: Path,
    metadata: Mapping[str, str],
    inputs: Mapping[str, OnnxNode],
    outputs: Mapping[str, OnnxNode],
) -> InputSpec:
    pixels, scale = metadata[_PIXEL_FORMAT], metadata.get(_PIXEL_RANGE, "NominalRange_0_255")
    ((name, node),) = inputs.items()
    shape = node.shape
    channels = _CHANNELS_OF.get(pixels.lower())
    if channels is None or scale.lower() not in _SCALE_OF or len(shape) != 4:
        raise ModelError(
            f"{weights} wants {pixels} pixels, {scale}, in shape {list(shape)}: not one of Custom "
            "Vision's kinds. Put a model.json beside it; README shows one."
        )
    if "detected_boxes" in outputs:
        raise detection_export(weights)
    # [N, 3, height, width]; the text output classLabel only repeats the best of the scores.
    height, width = shape[2:] if shape[1] == CHANNELS[channels] else shape[1:3]
    scores = [name for name, node in outputs.items() if not node.is_text]
    return InputSpec(
        input_name=name,
        output_name="loss" if "loss" in outputs else scores[0],
        height=int(str(height)),
        width=int(str(width)),
        channels=channels,
        scale=_SCALE_OF[scale.lower()],
    )
