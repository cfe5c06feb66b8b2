"""Turns RGB images into tensors exactly as Custom Vision's exporter does (December 2019 script).

The arrays equal the script's to the bit, without its loops over pixels. The origin of each number
is noted beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from image_classifier.images.tf1_resize import accel_crop

if TYPE_CHECKING:
    from image_classifier.model_files.input_spec import InputSpec

__all__ = [
    "LONGEST_SIDE",
    "SQUARE_SIDE",
    "is_exporters",
    "preprocess",
    "shrunk_size",
    "to_tensor",
]

LONGEST_SIDE = 1600  # larger images are first reduced to it
MOST_RESIZED_PIXELS = 16_000_000  # more than any image of usual shape becomes
SQUARE_SIDE = 256  # the centre square is resized to this, then cropped to the graph's size
_UNIT = 2 * SQUARE_SIDE  # sampling positions are multiples of 1 / _UNIT of a pixel


def preprocess(image: Image.Image, input_spec: InputSpec) -> NDArray[np.float32]:
    """Makes the graph's input tensor of one image.

    Args:
        image: mode RGB, upright, any size from 1 x 1.
        input_spec: the graph's size, channel order, mean and scale, and how to resize.

    Returns:
        float32 [height, width, channels], C order: ``(pixel - mean) * scale``, pixels 0..255.
    """
    if is_exporters(input_spec):
        sums = _exporter_crop(_shrink(image), input_spec.height, input_spec.width)
        return to_tensor(sums, input_spec, unit=1 / _UNIT**2)
    if input_spec.resize == "stretch":
        cut = image.resize((input_spec.width, input_spec.height), Image.Resampling.BILINEAR)
    elif input_spec.resize == "accel":
        return to_tensor(accel_crop(image, input_spec.height, input_spec.width), input_spec)
    else:
        cut = _shorter_side_crop(image, input_spec.height, input_spec.width)
    return to_tensor(np.asarray(cut), input_spec)


def is_exporters(input_spec: InputSpec) -> bool:
    """Whether images are resized as by the exporter, in steps of 1600 and 256 pixels."""
    return (
        input_spec.resize == "custom_vision"
        and max(input_spec.height, input_spec.width) <= SQUARE_SIDE
    )


def _shrink(image: Image.Image) -> Image.Image:
    """Resizes so that the longer side is 1600, if a side is that long."""
    longest = max(image.size)
    if longest < LONGEST_SIDE:
        return image
    is_bilinear = longest <= LONGEST_SIDE * 2
    return image.resize(
        shrunk_size(*image.size),
        Image.Resampling.BILINEAR if is_bilinear else Image.Resampling.BICUBIC,
    )


def shrunk_size(width: int, height: int) -> tuple[int, int]:
    """Computes the size to which the exporter first reduces an image."""
    if width < LONGEST_SIDE and height < LONGEST_SIDE:
        return width, height
    if height > width:
        size = (LONGEST_SIDE * width // height, LONGEST_SIDE)
    else:
        size = (LONGEST_SIDE, LONGEST_SIDE * height // width)
    # An image 1 pixel wide and 3000 high must not lose its only column.
    return max(1, size[0]), max(1, size[1])


def _exporter_crop(image: Image.Image, height: int, width: int) -> NDArray[np.int32]:
    """Resizes the centre square to 256 x 256, bilinear without antialiasing, and crops its centre.

    Only the rows and columns inside the crop are computed, and in integers: the square is 256 wide,
    so every sampling position is a multiple of 1/512 and every result a multiple of 1/512**2. The
    sums are thus exact, as the script's float64 is, and several times quicker.

    Returns:
        int32 [height, width, 4]: R, G, B and an unused channel, times 512**2.
    """
    # Pillow keeps RGB in four bytes per pixel: no conversion, and a pixel moves as one number.
    source = np.frombuffer(image.tobytes("raw", "RGBX"), np.uint32).reshape(
        image.height, image.width
    )
    side = min(image.size)
    y0, y1, dy = _sample_positions(image.height, side, height)
    x0, x1, dx = _sample_positions(image.width, side, width)
    dx, dy = np.repeat(dx, 4), dy[:, None]  # one weight for each byte of a row
    # The upper row of each pair and, below them all, the lower one of each.
    lines = source[np.concatenate((y0, y1))]
    sums: NDArray[np.int32] = np.take(lines, x0, axis=1).view(np.uint8) * (_UNIT - dx)
    sums += np.take(lines, x1, axis=1).view(np.uint8) * dx
    upper, lower = sums[:height], sums[height:]
    upper *= _UNIT - dy
    lower *= dy
    upper += lower
    return upper.reshape(height, width, 4)


def _sample_positions(
    length: int, side: int, count: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.int32]]:
    """Computes the samples of the crop on one axis: left and right index, weight of the right.

    Args:
        length: pixels of the image on this axis.
        side: pixels of the centre square.
        count: pixels of the crop on this axis.
    """
    origin = int(0.5 * (length - side))
    start = max(0, SQUARE_SIDE // 2 - count // 2)
    # (k + 0.5) * side / 256 - 0.5, in units of 1/512
    position = (2 * np.arange(start, start + count) + 1) * side - SQUARE_SIDE
    # Truncated towards zero, not floored: the first sample of an enlarged image gets a negative
    # weight, so it is extrapolated, as by the exporter.
    left = np.maximum(position, 0) // _UNIT
    weight = position - left * _UNIT
    index = left + origin
    weight[(index < 0) | (index >= length - 1)] = 0
    index = index.clip(0, length - 1)
    return index, np.minimum(index + 1, length - 1), weight.astype(np.int32)


def _shorter_side_crop(image: Image.Image, height: int, width: int) -> Image.Image:
    """Resizes so that the image just covers height x width, then crops the centre ([S1])."""
    ratio = max(width / image.width, height / image.height)
    size = (max(width, round(image.width * ratio)), max(height, round(image.height * ratio)))
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    right, bottom = left + width, top + height
    if size[0] * size[1] > MOST_RESIZED_PIXELS:
        # 1 x 4000 pixels would become 300 x 1,200,000: resize only the crop.
        x, y = image.width / size[0], image.height / size[1]
        source = (left * x, top * y, right * x, bottom * y)
        return image.resize((width, height), Image.Resampling.BILINEAR, box=source)
    return image.resize(size, Image.Resampling.BILINEAR).crop((left, top, right, bottom))


def to_tensor(
    pixels: NDArray[np.number[Any]], input_spec: InputSpec, *, unit: float = 1.0
) -> NDArray[np.float32]:
    """Orders the channels and applies mean and scale.

    Args:
        pixels: [height, width, 3 or more], RGB first.
        input_spec: of the graph.
        unit: factor for the numbers of a pixel; a power of two, so nothing is rounded.
    """
    tensor = np.empty((*pixels.shape[:2], 3), np.float32)
    # Channel by channel: a copy with one index for all takes five times as long.
    for target, source in enumerate((2, 1, 0) if input_spec.channels == "BGR" else (0, 1, 2)):
        tensor[:, :, target] = pixels[:, :, source]
    if unit != 1.0:
        tensor *= np.float32(unit)
    if input_spec.channels == "GRAY":
        # ITU-R 601, the weights of Pillow's own conversion to grey
        tensor = tensor @ np.array([[0.299], [0.587], [0.114]], np.float32)
    if any(input_spec.mean):
        tensor -= np.asarray(input_spec.mean, np.float32)
    if input_spec.scale != 1.0:
        tensor *= np.asarray(input_spec.scale, np.float32)
    return tensor
