"""Reads, checks and recognises a ``model.tflite``, and rejects files of other kinds.

It works on LiteRT's descriptions of the file's tensors, which the engine passes in.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from image_classifier.engines.base import detection_export
from image_classifier.errors import ModelError
from image_classifier.model_files.input_spec import InputSpec

__all__ = [
    "DTYPES",
    "Details",
    "check_dtype",
    "check_quantisation",
    "plain_name",
    "read_tflite",
    "recognise",
]

Details = Mapping[str, Any]  # of one tensor: name, index, shape, dtype, quantization …

DTYPES = (np.float32, np.float16, np.uint8, np.int8)

_IDENTIFIER = b"TFL3"  # the bytes 4 to 8 of every TensorFlow Lite file
_SUBGRAPHS = 2  # the number of its root's field that holds the graphs
_LARGEST_SIDE = 4096  # as in a model.json
_SCALES = (1e-30, 1e30)  # beyond any real one; scales near the ends of float32 end the process

# A converter puts it before the name of an input when it starts from a SavedModel.
_SIGNATURE_PREFIX = "serving_default_"

# Custom Vision's inputs, and their outputs unless a converter made up a name.
_EXPORTS = {"Placeholder": ("model_outputs", "loss"), "data": ("model_output",)}
_MADE_UP = ("PartitionedCall", "StatefulPartitionedCall", "Identity")
_DETECTION_NAMES = {"detected_boxes", "detected_scores", "detected_classes", "image_tensor"}


def read_tflite(weights: Path) -> bytes:
    """Reads the file. LiteRT checks its structure when it makes an interpreter.

    Raises:
        ModelError: the file cannot be read, is of another kind, or holds no graph.
    """
    try:
        # Read, not mapped: a file that is overwritten while it is mapped ends the process.
        data = weights.read_bytes()
    except OSError as exc:
        raise ModelError(f"{weights} cannot be read: {exc.strerror}.") from exc
    if data[4:8] != _IDENTIFIER:
        kind = "of another kind" if data else "empty"
        raise ModelError(
            f"{weights} is not a TensorFlow Lite model: it is {kind}. Export it again, from Custom "
            "Vision as TensorFlow Lite."
        )
    if not _has_a_graph(data):
        raise ModelError(f"{weights} is damaged: it holds no graph. Export it again.")
    return data


def _has_a_graph(data: bytes) -> bool:
    """Whether the file has a graph; LiteRT does not check, and ends the process without one."""
    try:
        (root,) = struct.unpack_from("<I", data)
        (back,) = struct.unpack_from("<i", data, root)
        # Where the fields are: the size of this table, of the root, then one number a field.
        table = struct.unpack_from(f"<{3 + _SUBGRAPHS}H", data, root - back)
        if table[0] < 2 * len(table) or not table[-1]:
            return False
        start = root + table[-1]
        (ahead,) = struct.unpack_from("<I", data, start)
        (count,) = struct.unpack_from("<I", data, start + ahead)
    except struct.error:
        return False
    return bool(count)


def check_quantisation(weights: Path, tensors: Iterable[Details]) -> None:
    """Checks every scale and zero point: LiteRT does not, and wrong ones end the process.

    Raises:
        ModelError: one is not possible.
    """
    for tensor in tensors:
        parameters = tensor["quantization_parameters"]
        scales, zeros = parameters["scales"], parameters["zero_points"]
        dtype: np.dtype[Any] = np.dtype(tensor["dtype"])
        # One of many may be 0: that of a channel whose weights are all 0.
        some = scales[scales != 0] if len(scales) > 1 else scales
        wrong = not np.all((some > _SCALES[0]) & (some < _SCALES[1]))
        if len(zeros) > 0 and dtype.kind in "iu":
            limits = np.iinfo(dtype)
            wrong |= not limits.min <= zeros.min() <= zeros.max() <= limits.max
        if wrong:
            raise ModelError(
                f"{weights} is damaged: the scale or the zero point of its tensor "
                f"{tensor['name']} is out of range. Export it again."
            )


def recognise(weights: Path, inputs: Sequence[Details], outputs: Sequence[Details]) -> InputSpec:
    """Recognises a Custom Vision export by its inputs, and derives its input specification.

    The channel orders are those of samples/python/tensorflow_lite/classification and
    classification_s1 in Azure-Samples/customvision-export-samples. That the mean is in the graph
    is inferred: it is in every frozen export since May 2018, before there was this kind of file.
    So is the way of resizing, from the frozen exports (those samples only stretch), and for [S1]
    from the predict.py of the container whose model.tflite has 300 pixels.

    Args:
        weights: the ``model.tflite``.
        inputs: its inputs.
        outputs: its outputs.

    Raises:
        ModelError: it is another model (it needs a ``model.json``) or an object detection export.
    """
    names = [plain_name(tensor["name"]) for tensor in inputs]
    scores = [plain_name(tensor["name"]) for tensor in outputs]
    known = _EXPORTS.get(names[0]) if len(names) == 1 else None
    is_classifier = len(outputs) == 1 and len(outputs[0]["shape"]) != 4
    if not _DETECTION_NAMES.isdisjoint(names + scores) or (known and not is_classifier):
        raise detection_export(weights)
    if known and scores[0] in (*known, *_MADE_UP):
        shape = [int(side) for side in inputs[0]["shape"]]
        if len(shape) == 4 and shape[3] == 3 and all(1 < n <= _LARGEST_SIDE for n in shape[1:3]):
            is_general = names[0] == "Placeholder"
            return InputSpec(
                input_name=f"{names[0]}:0",
                output_name=f"{scores[0]}:0",
                height=shape[1],
                width=shape[2],
                channels="BGR" if is_general else "RGB",
                resize="custom_vision" if is_general else "crop",
            )
    raise ModelError(
        f"{weights} does not say how it is fed (its inputs: {', '.join(names) or 'none'}). Put a "
        "model.json beside it that names input, output, size and preprocessing; README shows one."
    )


def plain_name(name: str) -> str:
    """A tensor's name without the prefixes and suffixes of converters."""
    return name.removeprefix(_SIGNATURE_PREFIX).removesuffix(":0")


def check_dtype(weights: Path, tensor: Details) -> None:
    """Refuses numbers that the engine cannot turn into float32 or back.

    Raises:
        ModelError: they are of another dtype than DTYPES, or have more scales than one.
    """
    dtype: np.dtype[Any] = np.dtype(tensor["dtype"])
    if dtype not in DTYPES or len(tensor["quantization_parameters"]["scales"]) > 1:
        raise ModelError(
            f"{weights}: its tensor {tensor['name']} is {dtype} or has a scale for each channel; "
            "the app can use float32, float16, uint8 and int8, with one scale."
        )
