import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from image_classifier.images.decode import decode
from image_classifier.images.preprocess import preprocess
from image_classifier.model_files.input_spec import InputSpec
from tests.support.builders import noise


def input_spec(size: int = 227, **changes: object) -> InputSpec:
    values = {"input_name": "x:0", "output_name": "y:0", "height": size, "width": size}
    return InputSpec(**{**values, **changes})  # type: ignore[arg-type]


def exporters_pixel(source: np.ndarray, row: int, column: int) -> np.ndarray:
    """One pixel of the 256 x 256 square, in floating point, from the description in DESIGN.

    Kept slow and literal on purpose: it is what the quick whole-number form is held against.
    """
    height, width = source.shape[:2]
    side = min(height, width)
    corners = []
    for index, length in ((row, height), (column, width)):
        position = (index + 0.5) * side / 256 - 0.5
        left = int(position)  # towards zero
        fraction = position - left
        left += int(0.5 * (length - side))
        if left < 0:
            left, fraction = 0, 0.0
        elif left >= length - 1:
            left, fraction = length - 1, 0.0
        corners.append((left, min(left + 1, length - 1), fraction))
    (y0, y1, dy), (x0, x1, dx) = corners
    pixels = source.astype(np.float64)
    upper = dx * pixels[y0, x1] + (1 - dx) * pixels[y0, x0]
    lower = dx * pixels[y1, x1] + (1 - dx) * pixels[y1, x0]
    pixel: np.ndarray = (dy * lower + (1 - dy) * upper).astype(np.float32)[::-1]
    return pixel


@settings(deadline=None, max_examples=30)
@given(
    st.integers(1, 700),
    st.integers(1, 700),
    st.integers(0, 9),
    st.sampled_from([64, 224, 227, 256]),
)
def test_every_pixel_is_the_exporters_to_the_bit(
    width: int, height: int, seed: int, size: int
) -> None:
    image = noise((width, height), seed=seed)
    tensor = preprocess(image, input_spec(size))
    source = np.asarray(image)
    start = max(0, 128 - size // 2)
    rng = np.random.default_rng(seed)
    spots = [(0, 0), (0, size - 1), (size - 1, 0), (size - 1, size - 1)]
    spots += rng.integers(0, size, (20, 2)).tolist()

    for row, column in spots:
        expected = exporters_pixel(source, start + row, start + column)
        assert np.array_equal(tensor[row, column], expected), (row, column)


def test_the_arrays_equal_the_exporters_to_the_bit(fixtures: Path) -> None:
    expected = json.loads((fixtures / "expected.json").read_text("utf-8"))["inputs"]
    assert len(expected) == 46
    for name, record in expected.items():
        data = (fixtures / "images" / name).read_bytes()
        tensor = preprocess(decode(data, max_pixels=10**8), input_spec())

        assert list(tensor.shape) == record["shape"], name
        assert str(tensor.dtype) == record["dtype"], name
        assert hashlib.sha256(tensor.tobytes()).hexdigest() == record["sha256"], name


def test_channels_come_in_the_order_of_the_input_spec() -> None:
    image = Image.new("RGB", (50, 50), (10, 20, 30))

    assert preprocess(image, input_spec()).reshape(-1, 3)[0].tolist() == [30, 20, 10]
    assert preprocess(image, input_spec(channels="RGB")).reshape(-1, 3)[0].tolist() == [10, 20, 30]
    grey = preprocess(image, input_spec(channels="GRAY", mean=(0.0,)))
    assert grey.shape == (227, 227, 1)
    assert grey.flat[0] == pytest.approx(0.299 * 10 + 0.587 * 20 + 0.114 * 30)


def test_mean_is_subtracted_in_channel_order_and_scale_comes_after() -> None:
    image = Image.new("RGB", (50, 50), (10, 20, 30))
    tensor = preprocess(image, input_spec(mean=(4.0, 17.0, 23.0), scale=0.5))

    assert tensor.reshape(-1, 3)[0].tolist() == [13, 1.5, -6.5]


@pytest.mark.parametrize(
    "size", [(1, 1), (1, 3000), (3000, 1), (1600, 1200), (1601, 50), (5000, 3)]
)
def test_every_shape_of_image_gives_the_graphs_size(size: tuple[int, int]) -> None:
    tensor = preprocess(noise(size), input_spec(224))

    assert tensor.shape == (224, 224, 3)
    assert tensor.dtype == np.float32
    assert tensor.flags["C_CONTIGUOUS"]


def test_a_graph_wider_than_256_gets_the_shorter_side_and_the_centre() -> None:
    image = Image.new("RGB", (900, 300), "black")
    image.paste("white", (300, 0, 600, 300))  # the centre square
    tensor = preprocess(image, input_spec(300, channels="RGB"))

    assert tensor.shape == (300, 300, 3)
    assert tensor.min() == 255


def test_crop_covers_a_graph_that_is_not_square() -> None:
    odd = input_spec(height=100, width=300, resize="crop", channels="RGB")

    assert preprocess(noise((90, 200)), odd).shape == (100, 300, 3)


def test_stretch_keeps_the_whole_image() -> None:
    image = Image.new("RGB", (400, 100), "black")
    image.paste("white", (0, 0, 20, 100))
    stretched = preprocess(image, input_spec(100, resize="stretch", channels="RGB"))

    assert stretched[50, 0].tolist() == [255, 255, 255]
    assert stretched[50, 99].tolist() == [0, 0, 0]


@pytest.mark.parametrize("size", [(1, 4000), (4000, 1), (2, 60_000), (65_535, 1)])
def test_long_thin_images_are_cut_without_being_blown_up(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[tuple[int, int]] = []
    resize = Image.Image.resize

    def noted(image: Image.Image, size: tuple[int, int], *args: Any, **options: Any) -> Image.Image:
        made.append(size)
        return resize(image, size, *args, **options)

    monkeypatch.setattr(Image.Image, "resize", noted)
    tensor = preprocess(Image.new("RGB", size, (10, 20, 30)), input_spec(300, channels="RGB"))

    assert tensor.shape == (300, 300, 3)
    assert tensor.reshape(-1, 3).tolist() == [[10, 20, 30]] * 90_000
    assert all(
        width * height <= sys.modules[preprocess.__module__].MOST_RESIZED_PIXELS
        for width, height in made
    )


@pytest.mark.parametrize("size", [(640, 480), (123, 457), (90, 2000), (31, 17)])
def test_cutting_before_resizing_gives_the_same_pixels(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    image = noise(size)
    usual = preprocess(image, input_spec(300, channels="RGB"))
    monkeypatch.setattr(sys.modules[preprocess.__module__], "MOST_RESIZED_PIXELS", 0)

    assert np.abs(preprocess(image, input_spec(300, channels="RGB")) - usual).max() <= 1
