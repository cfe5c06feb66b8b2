"""Runs two engines over the same inputs and measures how far their scores agree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from image_classifier.engines.base import Engine
from image_classifier.images.decode import decode
from image_classifier.images.preprocess import preprocess
from image_classifier.model_files.input_spec import CHANNELS, InputSpec
from tools.shared.agreement import Agreement, ScorePair, agreement_of
from tools.shared.image_folders import MOST_PIXELS

__all__ = ["compare", "image_tensors", "random_tensors"]

Tensors = Iterable[NDArray[np.float32]]


def image_tensors(images: Sequence[Path], input_spec: InputSpec) -> Iterator[NDArray[np.float32]]:
    """Yields the inputs of real images, each float32 [height, width, channels]."""
    for path in images:
        yield preprocess(decode(path.read_bytes(), max_pixels=MOST_PIXELS), input_spec)


def random_tensors(
    count: int, input_spec: InputSpec, seed: int = 0
) -> Iterator[NDArray[np.float32]]:
    """Yields noise within the range of real inputs: flat, smooth and wild in turn."""
    rng = np.random.default_rng(seed)
    shape = (input_spec.height, input_spec.width, CHANNELS[input_spec.channels])
    mean = np.asarray(input_spec.mean, np.float32)
    for index in range(count):
        cells = (1, 16, max(shape[:2]))[index % 3]
        coarse = rng.uniform(0, 255, (cells, cells, shape[2]))
        rows = np.linspace(0, cells - 1, shape[0]).round().astype(int)
        columns = np.linspace(0, cells - 1, shape[1]).round().astype(int)
        pixels = coarse[rows][:, columns].astype(np.float32)
        yield (pixels - mean) * np.asarray(input_spec.scale, np.float32)


def compare(reference: Engine, other: Engine, tensors: Tensors) -> Agreement:
    """Runs two engines over the same inputs, one input at a time."""
    return agreement_of(
        ScorePair(str(number), reference.predict(tensor[None])[0], other.predict(tensor[None])[0])
        for number, tensor in enumerate(tensors)
    )
