"""Computes the prior boxes of SSD300, from which its 8432 predictions start.

Sizes, ratios and steps are those of the TensorFlow port of SSD300 (balancap/SSD-Tensorflow,
``nets/ssd_vgg_300.py``), from which Microsoft's SSD-VGG came; its first map has 37 cells, not 38,
because its pools drop the rest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "LEAST_SCORE",
    "LEVELS",
    "MOST_DETECTIONS",
    "MOST_OVERLAP",
    "SIDE",
    "VARIANCES",
    "Level",
    "anchor_boxes",
]

SIDE = 300  # pixels, height and width of the input
# The factors of predictions: centre x and y, width and height.
VARIANCES = (0.1, 0.1, 0.2, 0.2)
# The parameters of post-processing in Microsoft's client.
LEAST_SCORE = 0.5
MOST_OVERLAP = 0.45  # of two boxes of a class: intersection over union
MOST_DETECTIONS = 200  # in an image, as in the paper


@dataclass(frozen=True)
class Level:
    """One feature map from which boxes are predicted.

    Attributes:
        block: its name in the original graph.
        cells: its height and width.
        step: pixels of the input from one cell to the next.
        sizes: side of the square boxes in pixels: the smaller one, and the level above's, with
            which it makes the second square by their geometric mean.
        ratios: width to height of the other boxes, which have the smaller one's area.
    """

    block: str
    cells: int
    step: int
    sizes: tuple[int, int]
    ratios: tuple[float, ...]

    @property
    def boxes(self) -> int:
        """The number of boxes in each cell."""
        return 2 + len(self.ratios)


_FEW = (2, 1 / 2)
_MANY = (2, 1 / 2, 3, 1 / 3)
LEVELS = (
    Level("block4", 37, 8, (21, 45), _FEW),
    Level("block7", 19, 16, (45, 99), _MANY),
    Level("block8", 10, 32, (99, 153), _MANY),
    Level("block9", 5, 64, (153, 207), _MANY),
    Level("block10", 3, 100, (207, 261), _FEW),
    Level("block11", 1, 300, (261, 315), _FEW),
)


def anchor_boxes() -> NDArray[np.float32]:
    """Computes all prior boxes, in the order of the predictions: level, row, column and box.

    Returns:
        float32 [8432, 4]: centre y, centre x, height, width, as parts of the image (0..1).
    """
    return np.concatenate([_of_level(level) for level in LEVELS]).astype(np.float32)


def _of_level(level: Level) -> NDArray[np.float64]:
    centres = (np.arange(level.cells) + 0.5) * level.step / SIDE
    smaller, larger = level.sizes
    heights = [smaller, np.sqrt(smaller * larger)]
    widths = list(heights)
    heights += [smaller / np.sqrt(ratio) for ratio in level.ratios]
    widths += [smaller * np.sqrt(ratio) for ratio in level.ratios]
    boxes = np.empty((level.cells, level.cells, level.boxes, 4))
    boxes[..., 0] = centres[:, None, None]
    boxes[..., 1] = centres[None, :, None]
    boxes[..., 2] = np.array(heights) / SIDE
    boxes[..., 3] = np.array(widths) / SIDE
    return boxes.reshape(-1, 4)
