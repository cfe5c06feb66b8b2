"""Describes and runs the four signatures that every image classifier is served with.

``serving_default`` takes web-safe base64 text, as in the articles on TensorFlow Serving, and gives
the label; ``bytes`` takes the bytes of an image file and gives the label; ``probabilities`` gives
all scores, too; ``tensors`` is the graph itself. A ``signatures.json`` beside the model can change
the input of ``serving_default`` to ``images``, bytes of image files.
"""

from __future__ import annotations

import binascii
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pybase64

from image_classifier.errors import InvalidRequest, ModelError
from image_classifier.model_files.input_spec import CHANNELS, InputSpec
from image_classifier.model_files.signatures import DEFAULT_SIGNATURE, Array, Signature, TensorInfo
from image_classifier.models.loaded_model import LoadedModel
from image_classifier.pipeline import Pipeline

__all__ = [
    "BYTES",
    "IMAGE",
    "IMAGES",
    "PROBABILITIES",
    "TENSORS",
    "TENSOR_IN",
    "TENSOR_OUT",
    "image_signatures",
    "run_image_signature",
]

TENSORS = "tensors"
BYTES = "bytes"
PROBABILITIES = "probabilities"
IMAGE, _LABEL, _SCORES = "image", "label", "probabilities"
IMAGES = "images"  # the input of serving_default, as bytes, if a signatures.json names it
_OUTPUT = "output_0"  # the articles' clients read the label from it
TENSOR_IN, TENSOR_OUT = "input", "output"

_WEB_SAFE_TO_STANDARD = bytes.maketrans(b"-_", b"+/")


def image_signatures(input_spec: InputSpec, labels: Sequence[str]) -> dict[str, Signature]:
    """Makes the four signatures of a classifier.

    Args:
        input_spec: names and sizes of the graph's tensors.
        labels: one for each score.
    """
    size = (-1, input_spec.height, input_spec.width, CHANNELS[input_spec.channels])
    scores = (-1, len(labels))

    def text(name: str) -> TensorInfo:
        return TensorInfo(f"{name}:0", "DT_STRING", (-1,))

    def labelled(name: str) -> Signature:
        return Signature({IMAGE: text(f"{name}_{IMAGE}")}, {_OUTPUT: text(f"{name}_{_OUTPUT}")})

    return {
        DEFAULT_SIGNATURE: labelled(DEFAULT_SIGNATURE),
        BYTES: labelled(BYTES),
        PROBABILITIES: Signature(
            {IMAGE: text(f"{PROBABILITIES}_{IMAGE}")},
            {
                _LABEL: text(f"{PROBABILITIES}_{_LABEL}"),
                _SCORES: TensorInfo(f"{PROBABILITIES}_{_SCORES}:0", "DT_FLOAT", scores),
            },
        ),
        TENSORS: Signature(
            {TENSOR_IN: TensorInfo(input_spec.input_name, "DT_FLOAT", size)},
            {TENSOR_OUT: TensorInfo(input_spec.output_name, "DT_FLOAT", scores)},
        ),
    }


def check_runnable(default: Signature, folder: Path) -> None:
    """Checks that ``run_image_signature`` can run a ``serving_default`` from a ``signatures.json``.

    Raises:
        ModelError: its inputs or outputs are not image files, label and scores.
    """
    if set(default.inputs) not in ({IMAGE}, {IMAGES}) or not set(default.outputs) <= {
        _OUTPUT,
        _LABEL,
        _SCORES,
    }:
        raise ModelError(
            f"{folder}: the signature {DEFAULT_SIGNATURE} in its signatures.json is no image "
            f"classifier's: it must take {IMAGES} and give {_LABEL} and {_SCORES}."
        )


def run_image_signature(
    name: str,
    inputs: Mapping[str, Array],
    outputs: Sequence[str],
    *,
    pipeline: Pipeline,
    loaded: LoadedModel,
) -> dict[str, Array]:
    """Runs one of the four signatures.

    Args:
        name: of the signature.
        inputs: an array for each of its inputs.
        outputs: the names of the requested outputs.
        pipeline: decodes image files and runs the model in a compute slot.
        loaded: the model, an image classifier.

    Returns:
        An array for each requested output: ``object`` [number of images] of labels in UTF-8,
        float32 [number of images, number of labels] of scores; for ``tensors`` what the graph
        gives.

    Raises:
        ClassifierError: an image or a tensor cannot be used; the message says which.
    """
    engine = loaded.engine
    if name == TENSORS:
        batch = _batch(inputs[TENSOR_IN], engine.input_spec)
        return {TENSOR_OUT: pipeline.infer(engine.predict, batch)}
    key = IMAGES if IMAGES in inputs else IMAGE
    images = inputs[key]
    if images.ndim != 1:
        raise InvalidRequest(
            f"The input {key} has shape {list(images.shape)}; it must be a list of images, of "
            "shape [number of images]."
        )
    is_base64 = name == DEFAULT_SIGNATURE and key == IMAGE
    rows = []
    for file in images:
        image = pipeline.open(_from_base64(file) if is_base64 else file)
        row, _ = pipeline.run(image, engine)
        rows.append(row)
    scores = np.array(rows, np.float32).reshape(-1, len(loaded.labels))
    # The first of equal scores, as everywhere in the app.
    best: Array = np.empty(len(scores), object)
    best[:] = [loaded.labels[int(row.argmax())].encode() for row in scores]
    results: dict[str, Array] = {_OUTPUT: best, _LABEL: best, _SCORES: scores}
    return {output: results[output] for output in outputs}


def _batch(tensor: Array, input_spec: InputSpec) -> Array:
    shape = (input_spec.height, input_spec.width, CHANNELS[input_spec.channels])
    if tensor.ndim != 4 or tensor.shape[1:] != shape:
        raise InvalidRequest(
            f"The input {TENSOR_IN} has shape {list(tensor.shape)}; the model takes "
            f"[number of images, {', '.join(map(str, shape))}]."
        )
    return tensor


def _from_base64(text: bytes) -> bytes:
    """Decodes web-safe or standard base64, with or without padding: clients send all of these."""
    text = text.translate(_WEB_SAFE_TO_STANDARD).rstrip(b"=")
    try:
        return pybase64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as exc:
        raise InvalidRequest(
            f"The input {IMAGE} of {DEFAULT_SIGNATURE} is not base64 text: {exc}. Send web-safe "
            "base64 (in JSON as a plain string, not as b64), or the file itself to the signature "
            f"{BYTES}."
        ) from exc
