"""Checks a model when it is loaded, which also warms it up for its first request."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np

from image_classifier.engines.base import Engine, SavedModelEngine
from image_classifier.errors import ClassifierError, ModelError
from image_classifier.model_files.input_spec import CHANNELS
from image_classifier.models.image_signatures import BYTES

__all__ = ["check_output", "warm_up"]

# One grey pixel.
_TINY_PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b"
    "550000000a49444154789c636800000082008177cd72b60000000049454e44ae"
    "426082"
)


def warm_up(saved: SavedModelEngine) -> None:
    """Runs the decoding inside the graph once, so that no request waits for its setup."""
    if BYTES in saved.signatures:
        signature = saved.signatures[BYTES]
        files = {key: np.array([_TINY_PNG], object) for key in signature.inputs}
        with contextlib.suppress(ClassifierError):  # a signature with another meaning
            saved.run_signature(BYTES, files, tuple(signature.outputs))


def check_output(engine: Engine, weights: Path, labels: tuple[str, ...]) -> None:
    """Runs the graph once on a black image, which also warms it up, and counts the scores.

    Args:
        engine: of an image classifier.
        weights: its file, for the messages.
        labels: one for each expected score.

    Raises:
        ModelError: the output is not one score for each label.
    """
    input_spec = engine.input_spec
    shape = (1, input_spec.height, input_spec.width, CHANNELS[input_spec.channels])
    scores = engine.predict(np.zeros(shape, np.float32))
    if scores.ndim != 2 or scores.shape[0] != 1:
        raise ModelError(
            f"{weights} is not a classifier: its output {input_spec.output_name} has shape "
            f"{list(scores.shape)}, as object detection exports have, not [1, number of labels]."
        )
    if scores.shape[1] != len(labels):
        raise ModelError(
            f"{weights} gives {scores.shape[1]} scores but labels.txt beside it has "
            f"{len(labels)} labels: there must be one label for each score."
        )
