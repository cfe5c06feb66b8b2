"""Turns scaled-down JPEGs into tensors for ``DECODE=fast``: nearly exact, several times quicker.

A JPEG decoder can give a half, a quarter or an eighth of an image's size at little cost.

Accuracy: the tensor's pixels differ by 0.6 to 1.2 of 255 (root mean square). This has no effect
where a model is certain of its answer. Of 200 generated photos (`python -m benchmarks large`) with
a real export of two tags, the probabilities of 192 change by less than 0.02; those of eight, which
show neither tag, change by more, and three of these get the other tag. Such answers also change
if an image is decoded at full size and resized in another way than the exporter's. So this cannot
be the default.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from image_classifier.images.preprocess import (
    LONGEST_SIDE,
    SQUARE_SIDE,
    is_exporters,
    preprocess,
    shrunk_size,
    to_tensor,
)

if TYPE_CHECKING:
    from image_classifier.model_files.input_spec import InputSpec

__all__ = ["smallest_decode_size", "preprocess_scaled"]

# Distance of the samples from the exact position, in pixels of the shrunk image: of the values that
# were tried, from 0.25 to 0.4, this one changed probabilities least.
_SPREAD = 0.3
_AROUND = tuple((x, y) for y in (-_SPREAD, _SPREAD) for x in (-_SPREAD, _SPREAD))


def smallest_decode_size(size: tuple[int, int], input_spec: InputSpec) -> tuple[int, int]:
    """Computes the smallest size to decode at that loses no pixel that ``preprocess`` reads.

    Args:
        size: width and height of the image.
        input_spec: the graph's size and how to resize.

    Returns:
        Width and height, in the shape of ``size``.
    """
    width, height = size
    if is_exporters(input_spec):
        needed, given = LONGEST_SIDE, max(size)
    else:
        # Twice the graph's size gives the antialiased resize that follows enough pixels.
        needed, given = 2 * max(input_spec.height, input_spec.width), min(size)
    return -(-width * needed // given), -(-height * needed // given)  # rounded up


def preprocess_scaled(
    image: Image.Image, full_size: tuple[int, int], input_spec: InputSpec
) -> NDArray[np.float32]:
    """Makes nearly the tensor that ``preprocess`` makes of the full-size image.

    The exporter resizes a large image to 1600 pixels and then reads a fifth of the rows and
    columns. Here only these are computed, straight from the scaled image: the mean of four samples
    around each position, which blurs about as much as the exporter's two steps.

    Args:
        image: decoded at a smaller scale, mode RGB, upright, no smaller than
            ``smallest_decode_size``.
        full_size: width and height of the image in the file, before it was turned upright.
        input_spec: as for ``preprocess``.

    Returns:
        As ``preprocess``.
    """
    if (image.width > image.height) != (full_size[0] > full_size[1]):
        full_size = full_size[::-1]
    shrunk = shrunk_size(*full_size)
    side = min(shrunk)
    if not is_exporters(input_spec) or side < SQUARE_SIDE:
        # Other methods resize in one step. And of a long thin image the outermost pixels count.
        return preprocess(image, input_spec)
    reduction = round(max(full_size) / max(image.size))
    size = (input_spec.width, input_spec.height)
    axes = list(zip(shrunk, full_size, size, strict=True))
    # From pixels of the shrunk image to pixels of the decoded one, for x and y.
    scales = [full / length / reduction for length, full, _ in axes]
    begins = [
        int(0.5 * (length - side)) + max(0, SQUARE_SIDE // 2 - count // 2) * side / SQUARE_SIDE
        for length, _, count in axes
    ]
    step = side / SQUARE_SIDE
    sums = np.full((input_spec.height, input_spec.width, 3), 2, np.uint16)  # Pillow rounds down
    for offsets in _AROUND:
        x, y = (
            (begin + offset) * scale
            for begin, offset, scale in zip(begins, offsets, scales, strict=True)
        )
        matrix = (step * scales[0], 0, x, 0, step * scales[1], y)
        sums += np.asarray(
            image.transform(size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
        )
    return to_tensor(sums, input_spec, unit=1 / len(_AROUND))
