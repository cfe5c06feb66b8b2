"""Pictures in memory become files that hold the same pixels."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from image_classifier_client import InvalidInput
from image_classifier_client.images import file_bytes
from image_classifier_client.tensors import Array


def decoded(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


@pytest.mark.parametrize("shape", [(3, 5), (3, 5, 1), (3, 5, 3), (3, 5, 4), (1, 1, 3)])
def test_pixels_are_those_of_the_array(shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    for array in (pixels, pixels[:, ::-1], np.asfortranarray(pixels)):
        image = decoded(file_bytes(array))
        image.load()

        assert image.format == "PNG"
        assert np.array_equal(np.asarray(image), array.squeeze(2) if shape[2:] == (1,) else array)


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((3, 5, 3), np.float32),
        np.zeros((3, 5, 2), np.uint8),
        np.zeros((1, 3, 5, 3), np.uint8),
        np.zeros(5, np.uint8),
        np.zeros((0, 5, 3), np.uint8),
    ],
)
def test_an_array_that_is_no_picture_is_refused_in_words(pixels: Array) -> None:
    with pytest.raises(InvalidInput, match="no picture. Pass uint8"):
        file_bytes(pixels)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "F", "I;16"])
def test_a_pillow_image_keeps_its_pixels(mode: str) -> None:
    image = Image.linear_gradient("L").convert("RGB").convert(mode if mode != "I;16" else "L")
    image = image.convert(mode)
    found = decoded(file_bytes(image))

    expected = image if mode != "I;16" else image.convert("I;16")
    assert np.array_equal(np.asarray(found.convert("RGB")), np.asarray(expected.convert("RGB")))


def test_a_photograph_is_turned_as_its_file_is() -> None:
    image = Image.new("RGB", (4, 2))
    exif = Image.Exif()
    exif[0x0112] = 6
    made = io.BytesIO()
    image.save(made, "JPEG", exif=exif)

    assert decoded(file_bytes(decoded(made.getvalue()))).getexif()[0x0112] == 6


def test_a_files_bytes_are_sent_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "any.jpg"
    path.write_bytes(b"any bytes")

    forms: list[Any] = [path, str(path), b"any bytes", bytearray(b"any bytes")]
    for form in [*forms, memoryview(b"any bytes")]:
        assert file_bytes(form) == b"any bytes"
    with pytest.raises(FileNotFoundError):
        file_bytes(tmp_path / "none.jpg")


@pytest.mark.parametrize("thing", [None, 5, [b"x"], object()])
def test_what_is_no_picture_at_all_is_refused_in_words(thing: Any) -> None:
    with pytest.raises(InvalidInput, match="is no picture. Pass the bytes of an image file"):
        file_bytes(thing)
