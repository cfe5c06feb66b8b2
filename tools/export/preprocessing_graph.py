"""Builds decode.py and preprocess.py from TensorFlow operations.

It comes as close as TensorFlow can: the inverse transform of JPEG is the accurate one, as in
Pillow, and resizing samples as Pillow does. Pillow rounds between its two passes, so single pixels
differ by one. TensorFlow ignores the EXIF orientation.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from image_classifier.images.preprocess import LONGEST_SIDE, SQUARE_SIDE, is_exporters
from image_classifier.model_files.input_spec import SHORTER_SIDE, InputSpec

__all__ = ["decoded", "tensor_of_file"]

_UNIT = 2 * SQUARE_SIDE


def tensor_of_file(data: Any, input_spec: InputSpec) -> Any:
    """Turns the bytes of one image file into float32 [height, width, channels].

    Args:
        data: a scalar string tensor.
        input_spec: size and preprocessing.
    """
    return _normalised(_resized(decoded(data), input_spec), input_spec)


def decoded(data: Any) -> Any:
    """Decodes one image file, a scalar string tensor, to uint8 [height, width, 3], RGB."""
    image = tf.cond(
        tf.io.is_jpeg(data),
        lambda: tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE"),
        lambda: tf.io.decode_image(data, channels=3, expand_animations=False),
    )
    return tf.ensure_shape(image, [None, None, 3])


def _resized(image: Any, input_spec: InputSpec) -> Any:
    size = (input_spec.height, input_spec.width)
    height, width = tf.unstack(tf.cast(tf.shape(image)[:2], tf.float32))
    if is_exporters(input_spec):
        return _exporters(_shrunk(image), input_spec)
    if input_spec.resize == "stretch":
        return _sampled(image, size, (size[0] / height, size[1] / width), (0.0, 0.0))
    if input_spec.resize == "accel":
        return _accel(image, size)
    ratio = tf.maximum(size[1] / width, size[0] / height)
    # Only the centre of the resized image is computed.
    high = tf.maximum(float(size[0]), tf.round(height * ratio))
    wide = tf.maximum(float(size[1]), tf.round(width * ratio))
    top, left = tf.floor((high - size[0]) / 2), tf.floor((wide - size[1]) / 2)
    return _sampled(image, size, (high / height, wide / width), (-top, -left))


def _sampled(
    image: Any, size: Any, scale: tuple[Any, Any], shift: tuple[Any, Any], kernel: str = "triangle"
) -> Any:
    """Resizes with antialiasing and rounds, as Pillow does."""
    sampled = tf.raw_ops.ScaleAndTranslate(
        images=tf.cast(image, tf.float32)[None],
        size=size,
        scale=tf.stack(scale),
        translation=tf.stack(shift),
        kernel_type=kernel,
        antialias=True,
    )[0]
    return tf.clip_by_value(tf.round(sampled), 0.0, 255.0)


def _shrunk(image: Any) -> Any:
    """Applies Custom Vision's first step: no side is longer than 1600."""
    shape = tf.shape(image)[:2]
    longest = tf.reduce_max(shape)

    def smaller(kernel: str) -> Any:
        size = tf.maximum(1, shape * LONGEST_SIDE // longest)
        scale = tf.unstack(tf.cast(size, tf.float32) / tf.cast(shape, tf.float32))
        return tf.cast(_sampled(image, size, scale, (0.0, 0.0), kernel), tf.uint8)

    return tf.case(
        [
            (longest < LONGEST_SIDE, lambda: image),
            (longest <= 2 * LONGEST_SIDE, lambda: smaller("triangle")),
        ],
        default=lambda: smaller("keyscubic"),
    )


def _exporters(image: Any, input_spec: InputSpec) -> Any:
    """Computes Custom Vision's centre square of 256 and its crop, exactly, in whole numbers."""
    side = tf.reduce_min(tf.shape(image)[:2])
    y0, y1, dy = _positions(tf.shape(image)[0], side, input_spec.height)
    x0, x1, dx = _positions(tf.shape(image)[1], side, input_spec.width)
    pixels = tf.cast(image, tf.int32)
    dx, dy = dx[None, :, None], dy[:, None, None]

    def row(y: Any) -> Any:
        line = tf.gather(pixels, y)
        return tf.gather(line, x0, axis=1) * (_UNIT - dx) + tf.gather(line, x1, axis=1) * dx

    sums = row(y0) * (_UNIT - dy) + row(y1) * dy
    return tf.cast(sums, tf.float32) * (1.0 / _UNIT**2)


def _positions(length: Any, side: Any, count: int) -> tuple[Any, Any, Any]:
    """Computes ``_sample_positions`` of preprocess.py, where each line is explained."""
    origin = (length - side) // 2
    start = max(0, SQUARE_SIDE // 2 - count // 2)
    position = (2 * tf.range(start, start + count) + 1) * side - SQUARE_SIDE
    left = tf.maximum(position, 0) // _UNIT
    weight = position - left * _UNIT
    index = left + origin
    weight = tf.where((index < 0) | (index >= length - 1), 0, weight)
    index = tf.clip_by_value(index, 0, length - 1)
    return index, tf.minimum(index + 1, length - 1), weight


def _accel(image: Any, size: tuple[int, int]) -> Any:
    """Resizes as tf1_resize.py, by TensorFlow 1's bilinear method, only the part cut out."""
    lengths = tf.unstack(tf.cast(tf.shape(image)[:2], tf.float32))
    scale = tf.constant(SHORTER_SIDE, tf.float32) / tf.minimum(*lengths)

    def positions(length: Any, count: int) -> tuple[Any, Any, Any]:
        resized = tf.maximum(count, tf.cast(length * scale, tf.int32))
        start = (resized - count) // 2
        steps = tf.cast(tf.range(start, start + count), tf.float32)
        position = steps * (length / tf.cast(resized, tf.float32))
        last = tf.cast(length, tf.int32) - 1
        left = tf.clip_by_value(tf.cast(position, tf.int32), 0, last)
        return left, tf.minimum(left + 1, last), position - tf.cast(left, tf.float32)

    y0, y1, dy = positions(lengths[0], size[0])
    x0, x1, dx = positions(lengths[1], size[1])
    dx, dy = dx[None, :, None], dy[:, None, None]

    def row(y: Any) -> Any:
        lines = tf.gather(image, y)
        left, right = (tf.cast(tf.gather(lines, x, axis=1), tf.float32) for x in (x0, x1))
        return left + (right - left) * dx

    upper = row(y0)
    return upper + (row(y1) - upper) * dy


def _normalised(pixels: Any, input_spec: InputSpec) -> Any:
    tensor = tf.cast(pixels, tf.float32)
    if input_spec.channels == "BGR":
        tensor = tensor[..., ::-1]
    elif input_spec.channels == "GRAY":
        tensor = tf.tensordot(tensor, tf.constant([[0.299], [0.587], [0.114]]), 1)
    if any(input_spec.mean):
        tensor -= tf.constant(input_spec.mean, tf.float32)
    if input_spec.scale != 1.0:
        tensor *= tf.constant(input_spec.scale, tf.float32)
    return tensor
