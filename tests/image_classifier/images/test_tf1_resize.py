"""Microsoft's accelerated models: their pixels, as TensorFlow's own kernel computes them."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from image_classifier.images.fast_preprocess import smallest_decode_size
from image_classifier.images.preprocess import preprocess
from image_classifier.images.tf1_resize import accel_crop
from image_classifier.model_files.input_spec import InputSpec
from tests.support.builders import noise


def as_in_tensorflow_1(image: Image.Image, side: int) -> np.ndarray:
    """The whole image resized by TensorFlow's kernel, then cut: facts 4.2, step by step."""
    import tensorflow as tf

    pixels = tf.cast(np.asarray(image), tf.float32)
    scale = np.float32(256) / np.float32(min(image.size))
    size = [max(side, int(np.float32(length) * scale)) for length in image.size[::-1]]
    resized = tf.raw_ops.ResizeBilinear(
        images=pixels[None], size=size, align_corners=False, half_pixel_centers=False
    )[0]
    top, left = ((length - side) // 2 for length in size)
    cut: np.ndarray = resized[top : top + side, left : left + side].numpy()
    return cut


@pytest.mark.parametrize("side", [224, 256, 96])
@pytest.mark.parametrize(
    "size", [(640, 480), (333, 500), (500, 333), (256, 256), (31, 17), (1, 1), (1, 9), (1234, 255)]
)
def test_every_pixel_is_tensorflows(size: tuple[int, int], side: int) -> None:
    image = noise(size)

    assert np.abs(accel_crop(image, side, side) - as_in_tensorflow_1(image, side)).max() <= 1e-4


def test_a_long_thin_image_is_cut_without_being_blown_up() -> None:
    cut = accel_crop(Image.new("RGB", (1, 65_000), (10, 20, 30)), 224, 224)

    assert cut.shape == (224, 224, 3)
    assert (cut == [10, 20, 30]).all()


def test_the_pipeline_goes_this_way_if_the_input_spec_says_so() -> None:
    input_spec = InputSpec(
        input_name="x:0",
        output_name="y:0",
        height=224,
        width=224,
        channels="RGB",
        mean=(123.68, 116.779, 103.939),
        scale=0.017,
        resize="accel",
    )
    image = noise((300, 400))
    wanted = (accel_crop(image, 224, 224) - np.array(input_spec.mean, np.float32)) * np.float32(
        0.017
    )

    assert np.array_equal(preprocess(image, input_spec), wanted)
    assert min(smallest_decode_size((4000, 3000), input_spec)) >= 256
