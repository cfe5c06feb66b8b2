"""Drafted image -> tensor, for ``DECODE=fast``: nearly the exact one, several times sooner.

A JPEG decoder can give a half, a quarter or an eighth of an image's size at little cost.

How near: the tensor's pixels are 0.6 to 1.2 of 255 away (root mean square). That does not show
where a model is sure of its answer. Of 200 generated photos (`python -m benchmarks large`) with a
real export of two tags, 192 move by less than 0.02; eight, of things that are neither, move by
more, and three of these get the other tag. Even an image that is decoded whole, and then resized
in another way than the exporter's, moves such answers. So this cannot be the default.
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

# How far from the exact position the samples lie, in pixels of the shrunk image: of the values
# that were tried, from 0.25 to 0.4, this moved probabilities least.
_SPREAD = 0.3
_AROUND = tuple((x, y) for y in (-_SPREAD, _SPREAD) for x in (-_SPREAD, _SPREAD))


def smallest_decode_size(size: tuple[int, int], input_spec: InputSpec) -> tuple[int, int]:
    """How small an image may be drafted without losing what ``preprocess`` looks at.

    Args:
        size: width and height of the image.
        input_spec: the graph's size and how to resize.

    Returns:
        Width and height, in the shape of ``size``.
    """
    width, height = size
    if is_exporters(input_spec):
        wanted, given = LONGEST_SIDE, max(size)
    else:
        # Twice the graph's size: the antialiased resize that follows then sees enough of it.
        wanted, given = 2 * max(input_spec.height, input_spec.width), min(size)
    return -(-width * wanted // given), -(-height * wanted // given)  # rounded up


def preprocess_scaled(
    image: Image.Image, full_size: tuple[int, int], input_spec: InputSpec
) -> NDArray[np.float32]:
    """Makes nearly the tensor that ``preprocess`` makes of the whole image.

    The exporter's way resizes a large image to 1600 pixels and then looks at a fifth of the rows
    and columns. Here only what it looks at is computed, straight from the drafted image: the
    mean of four samples around each place, which blurs about as much as the two steps do.

    Args:
        image: the drafted image, mode RGB, upright, no smaller than ``smallest_decode_size``
            says.
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
        # Others resize at once. And of a long thin image the outermost pixels are looked at too.
        return preprocess(image, input_spec)
    drafted_by = round(max(full_size) / max(image.size))
    size = (input_spec.width, input_spec.height)
    axes = list(zip(shrunk, full_size, size, strict=True))
    # From pixels of the shrunk image to pixels of the drafted one, for x and y.
    scales = [full / length / drafted_by for length, full, _ in axes]
    begins = [
        int(0.5 * (length - side)) + max(0, SQUARE_SIDE // 2 - count // 2) * side / SQUARE_SIDE
        for length, _, count in axes
    ]
    step = side / SQUARE_SIDE
    sums = np.full((input_spec.height, input_spec.width, 3), 2, np.uint16)  # Pillow rounds down
    for around in _AROUND:
        x, y = (
            (begin + away) * scale
            for begin, away, scale in zip(begins, around, scales, strict=True)
        )
        where = (step * scales[0], 0, x, 0, step * scales[1], y)
        sums += np.asarray(
            image.transform(size, Image.Transform.AFFINE, where, Image.Resampling.BILINEAR)
        )
    return to_tensor(sums, input_spec, unit=1 / len(_AROUND))
