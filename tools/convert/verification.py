"""Runs two engines over the same inputs and measures how far they are apart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from image_classifier.engines.base import Engine
from image_classifier.images.decode import decode
from image_classifier.images.preprocess import preprocess
from image_classifier.model_files.input_spec import CHANNELS, InputSpec
from tools.shared.image_folders import MOST_PIXELS

__all__ = ["Agreement", "compare", "image_tensors", "random_tensors"]

Tensors = Iterable[NDArray[np.float32]]


@dataclass(frozen=True)
class Agreement:
    """How alike two engines answer.

    Attributes:
        inputs: how many were tried.
        largest_difference: between any two scores.
        same_top: how many inputs have the same best label.
    """

    inputs: int
    largest_difference: float
    same_top: int

    @property
    def top_tag(self) -> float:
        """The share of inputs, 0 to 1, with the same best label."""
        return self.same_top / self.inputs if self.inputs else 0.0


def image_tensors(images: Sequence[Path], input_spec: InputSpec) -> Iterator[NDArray[np.float32]]:
    """The inputs of real images."""
    for path in images:
        yield preprocess(decode(path.read_bytes(), max_pixels=MOST_PIXELS), input_spec)


def random_tensors(
    count: int, input_spec: InputSpec, seed: int = 0
) -> Iterator[NDArray[np.float32]]:
    """Noise within the range of the real inputs: flat, smooth and wild, by turns."""
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
    """Runs both, one input at a time."""
    inputs, same_top, largest = 0, 0, 0.0
    for tensor in tensors:
        wanted, got = reference.predict(tensor[None])[0], other.predict(tensor[None])[0]
        inputs += 1
        same_top += int(wanted.argmax() == got.argmax())
        difference = float(np.abs(wanted - got).max())
        largest = difference if np.isnan(difference) else max(largest, difference)
        if np.isnan(largest):
            break
    return Agreement(inputs, largest, same_top)
