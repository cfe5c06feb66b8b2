"""Resizing as Azure ML's hardware-accelerated models were fed: TensorFlow 1's bilinear.

Shorter side to 256, then the centre is cut out, as ``preprocess_array`` of azureml-accel-models
1.62.0 has it. TensorFlow 1 puts the first sample onto the first pixel, not between the first ones,
and does not antialias, so no resize of Pillow's gives these pixels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from image_classifier.model_files.input_spec import SHORTER_SIDE

__all__ = ["accel_crop"]


def accel_crop(image: Image.Image, height: int, width: int) -> NDArray[np.float32]:
    """Resizes so that the shorter side is 256, and cuts the centre out; not rounded.

    Only what is cut out is computed.

    Args:
        image: mode RGB, any size from 1 x 1.
        height: of the cut, at most 256.
        width: likewise.

    Returns:
        float32 [height, width, 3], 0..255: what TensorFlow's kernel gives.
    """
    source = np.asarray(image)
    shorter = np.float32(min(image.size))
    y0, y1, dy = _positions(image.height, shorter, height)
    x0, x1, dx = _positions(image.width, shorter, width)
    dx, dy = dx[None, :, None], dy[:, None, None]

    def row(y: NDArray[np.intp]) -> NDArray[np.float32]:
        lines = source[y]
        left = lines[:, x0].astype(np.float32)
        return left + (lines[:, x1] - left) * dx

    upper = row(y0)
    return upper + (row(y1) - upper) * dy


def _positions(
    length: int, shorter: np.float32, count: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """Where the cut samples one axis: left index, right index, weight of the right.

    In float32, as TensorFlow computes it: a side can come out a pixel shorter than in exact
    numbers, which moves the cut.
    """
    scale = np.float32(SHORTER_SIDE) / shorter
    # Theirs refuses a side that comes out shorter than the cut (255 of 256).
    resized = max(count, int(np.float32(length) * scale))
    start = (resized - count) // 2
    steps = np.arange(start, start + count).astype(np.float32)
    position = steps * (np.float32(length) / np.float32(resized))
    left = position.astype(np.intp).clip(0, length - 1)
    return left, np.minimum(left + 1, length - 1), position - left.astype(np.float32)
