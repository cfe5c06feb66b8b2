"""Splits scikit-learn's handwritten digits into training digits and held-out ones."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from tools.train_demo.draw_digits import Shape, shape_of

__all__ = ["LABELS", "Digit", "split_digits"]

LABELS = tuple("0123456789")
HELD_OUT = 0.2
SPLIT_SEED = 0  # not the trainer's --seed: the held-out digits must not depend on a run

# Loops that a digit must keep for its centre line to be readable: at 8 x 8 some are filled in, and
# a pen that follows a filled six writes a bracket.
_LOOPS = {0: 1, 6: 1, 8: 2, 9: 1}


@dataclass(frozen=True, eq=False)
class Digit:
    """One digit of the data.

    Attributes:
        index: its place in scikit-learn's data.
        label: 0 to 9.
        pixels: 8 x 8 numbers from 0 to 16.
    """

    index: int
    label: int
    pixels: NDArray[np.float64]

    @functools.cached_property
    def shape(self) -> Shape:
        """The shape for ``draw``."""
        return shape_of(self.pixels)

    @property
    def has_pen(self) -> bool:
        """Whether a pen can follow its centre line and be read."""
        return self.shape.holes >= _LOOPS.get(self.label, 0)


def split_digits() -> tuple[list[Digit], list[Digit]]:
    """Returns the training digits and the held-out ones, stratified by label, always the same."""
    data = load_digits()
    parts = train_test_split(
        np.arange(len(data.target)),
        test_size=HELD_OUT,
        stratify=data.target,
        random_state=SPLIT_SEED,
    )
    train, held_out = (
        [Digit(int(i), int(data.target[i]), data.images[i]) for i in part] for part in parts
    )
    return train, held_out
