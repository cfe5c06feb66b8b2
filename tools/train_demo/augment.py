"""Draws the training images: every digit anew, in another style, in every epoch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tools.train_demo.data import Digit
from tools.train_demo.draw_digits import Style, draw
from tools.train_demo.network import GRID

__all__ = ["training_images"]

# Preprocessing keeps 224 of 256 pixels, the graph pools them to GRID; half a step finer suffices.
_CROP = 2 * GRID
_SIDE = _CROP * 256 // 224


def training_images(digits: Sequence[Digit], rng: np.random.Generator) -> NDArray[np.float32]:
    """Draws one image of each digit as the graph sees it after pooling.

    Returns:
        BGR, float32 [n, GRID, GRID, 3].
    """
    edge = (_SIDE - _CROP) // 2
    images = np.empty((len(digits), GRID, GRID, 3), np.float32)
    for row, digit in enumerate(digits):
        style = _random_style(rng, pen=digit.has_pen)
        image = draw(digit.shape, style, seed=int(rng.integers(1 << 32)))
        seen = np.asarray(image, np.float32)[edge : edge + _CROP, edge : edge + _CROP, ::-1]
        images[row] = seen.reshape(GRID, 2, GRID, 2, 3).mean(axis=(1, 3))
    return images


def _random_style(rng: np.random.Generator, *, pen: bool) -> Style:
    """Chooses a style within the range of human handwriting."""
    ink, paper = _two_colours(rng)
    with_pen = pen and rng.random() < 0.5
    photographed = rng.random() < 0.4
    scale = float(rng.uniform(0.4, 0.9))
    # A digit that fills the image has no room to move.
    room = max(0.02, (0.875 - scale) / 2)
    return Style(
        size=(_SIDE, _SIDE),
        ink=ink,
        paper=paper,
        pen=float(rng.uniform(0.04, 0.2)) if with_pen else None,
        level=float(rng.uniform(0.3, 0.5)),
        blur=float(rng.uniform(0, 1)) if rng.random() < 0.5 else 0.0,
        scale=scale,
        shift=(float(rng.uniform(-room, room)), float(rng.uniform(-room, room))),
        angle=float(rng.normal(0, 7)),
        slant=float(rng.normal(0.05, 0.12)),
        stretch=float(rng.uniform(0.75, 1.25)),
        shade=float(rng.uniform(0, 0.5)) if photographed else 0.0,
        noise=float(rng.uniform(0, 12)) if photographed else 0.0,
    )


def _two_colours(rng: np.random.Generator) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Chooses distinct colours of ink and paper; dark on light as often as light on dark."""
    while True:
        colours = rng.integers(0, 256, (2, 3))
        if np.linalg.norm(colours[0] - colours[1]) > 90:
            ink, paper = ((int(c[0]), int(c[1]), int(c[2])) for c in colours)
            return ink, paper
