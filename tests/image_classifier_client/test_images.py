"""Images in memory become files that hold the same pixels."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

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
def test_an_array_that_is_no_image_is_refused_in_words(pixels: Array) -> None:
    with pytest.raises(InvalidInput, match="no image. Pass uint8"):
        file_bytes(pixels)


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "F", "I", "I;16"]
)
def test_a_pillow_image_keeps_its_pixels(mode: str) -> None:
    image = Image.linear_gradient("L").convert("RGB").convert(mode if mode != "I;16" else "L")
    image = image.convert(mode)
    found = decoded(file_bytes(image))

    expected = image if mode != "I;16" else image.convert("I;16")
    assert np.array_equal(np.asarray(found.convert("RGB")), np.asarray(expected.convert("RGB")))


def test_sixteen_bits_stay_sixteen_whichever_way_pillow_holds_them() -> None:
    grey = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    for mode in ("I;16", "I"):
        image = Image.fromarray(grey if mode == "I;16" else grey.astype(np.int32))
        assert image.mode == mode
        assert np.array_equal(np.asarray(decoded(file_bytes(image))), grey)


def photograph(*tags: tuple[int, int, int, bytes]) -> bytes:
    """A JPEG file with EXIF of number, type, count and value."""
    entries = b"".join(struct.pack("<HHI", *tag[:3]) + tag[3].ljust(4, b"\0") for tag in tags)
    exif = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + entries + bytes(4)
    made = io.BytesIO()
    Image.new("RGB", (4, 2)).save(made, "JPEG", exif=exif)
    return made.getvalue()


@pytest.mark.parametrize("orientation", range(10))
def test_a_photograph_is_turned_as_its_file_is(orientation: int) -> None:
    """Its other metadata stay where they are, such as the place where it was taken."""
    file = photograph((0x010F, 2, 4, b"Me"), (0x0112, 3, 1, bytes([orientation])))
    sent = decoded(file_bytes(decoded(file)))

    expected = {0x0112: orientation} if 2 <= orientation <= 8 else {}
    assert dict(sent.getexif()) == expected
    assert ImageOps.exif_transpose(sent).size == ImageOps.exif_transpose(decoded(file)).size


@pytest.mark.parametrize(
    "tag",
    [
        (0x0112, 2, 2, b"6"),  # the orientation as a text
        (0x0112, 9, 1, struct.pack("<i", -1)),
        (0x0112, 11, 1, struct.pack("<f", 1.5)),
        (0x011A, 7, 4, b"abcd"),  # XResolution of no type
        (0x0100, 9, 1, struct.pack("<i", -5)),
        (0x8769, 4, 1, struct.pack("<I", 99999)),  # more of it, behind the end
        (0x0112, 3, 99999, b"\xff\xff\xff\xff"),
    ],
)
def test_metadata_that_cannot_be_written_do_not_matter(tag: tuple[int, int, int, bytes]) -> None:
    sent = decoded(file_bytes(decoded(photograph(tag))))

    assert sent.size == (4, 2)
    assert not dict(sent.getexif())


def test_an_image_keeps_its_colour_profile() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = Image.new("RGB", (4, 2))
    image.info["icc_profile"] = profile

    assert decoded(file_bytes(image)).info["icc_profile"] == profile


def test_a_files_bytes_are_sent_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "any.jpg"
    path.write_bytes(b"any bytes")

    forms: list[Any] = [path, str(path), b"any bytes", bytearray(b"any bytes")]
    for form in [*forms, memoryview(b"any bytes")]:
        assert file_bytes(form) == b"any bytes"
    with pytest.raises(FileNotFoundError):
        file_bytes(tmp_path / "none.jpg")


@pytest.mark.parametrize("thing", [None, 5, [b"x"], object()])
def test_what_is_no_image_at_all_is_refused_in_words(thing: Any) -> None:
    with pytest.raises(InvalidInput, match="is no image. Pass the bytes of an image file"):
        file_bytes(thing)
