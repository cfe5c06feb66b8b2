import contextlib
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from image_classifier.errors import ImageTooLarge, TooManyRequests, UnsupportedImage
from image_classifier.images.decode import SUPPORTED_FORMATS, decode
from tests.support.builders import colour_image, noise

LIMIT = 50_000_000


def save(image: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


@pytest.mark.parametrize("kind", SUPPORTED_FORMATS)
def test_every_promised_format_is_decoded(kind: str) -> None:
    image = decode(colour_image("red", (20, 10), kind=kind), max_pixels=LIMIT)

    assert (image.mode, image.size) == ("RGB", (20, 10))
    red, green, blue = np.asarray(image)[5, 10].tolist()
    assert red > 240
    assert max(green, blue) < 15


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "I;16", "RGB"])
def test_every_mode_of_png_becomes_rgb(mode: str) -> None:
    grey = Image.new("L", (8, 8), 255)
    if mode == "I;16":
        source = Image.fromarray(np.full((8, 8), 65535, np.uint16))
    else:
        source = grey.convert("RGB").convert(mode) if mode == "P" else grey.convert(mode)
    image = decode(save(source, "PNG"), max_pixels=LIMIT)

    assert image.mode == "RGB"
    assert np.asarray(image).min() == 255


def test_sixteen_bit_grey_is_scaled_not_clipped() -> None:
    wide = np.array([[0, 256, 32768, 65535]], np.uint16)
    image = decode(save(Image.fromarray(wide), "PNG"), max_pixels=LIMIT)

    assert np.asarray(image)[0, :, 0].tolist() == [0, 1, 128, 255]


def test_alpha_is_dropped_not_composited() -> None:
    transparent = Image.new("RGBA", (4, 4), (200, 100, 50, 0))

    assert decode(save(transparent, "PNG"), max_pixels=LIMIT).getpixel((0, 0)) == (200, 100, 50)


def test_a_palette_with_transparency_is_decoded() -> None:
    image = Image.new("P", (4, 4), 1)
    image.putpalette([0, 0, 0, 10, 20, 30])
    data = save(image, "PNG", transparency=b"\x00\x80")

    assert decode(data, max_pixels=LIMIT).getpixel((0, 0)) == (10, 20, 30)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_exif_orientation_is_applied_before_anything_else(kind: str, mode: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the top is at the right: turn by 90 degrees
    wide = Image.new("RGB", (40, 20), "black")
    wide.paste("white", (0, 0, 20, 20))  # white on the left becomes white on top
    image = decode(save(wide.convert(mode), kind, exif=exif), max_pixels=LIMIT)

    assert image.size == (20, 40)
    pixels = np.asarray(image)
    assert pixels[5, 10].min() > 200
    assert pixels[35, 10].max() < 50


def test_damaged_exif_does_not_refuse_a_good_image() -> None:
    data = save(
        Image.new("RGB", (8, 8)), "JPEG", exif=b"Exif\x00\x00garbage that is no TIFF header"
    )

    assert decode(data, max_pixels=LIMIT).size == (8, 8)


def test_the_first_frame_of_an_animation_counts() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    data = save(frames[0], "GIF", save_all=True, append_images=frames[1:])

    assert decode(data, max_pixels=LIMIT).getpixel((0, 0)) == (255, 0, 0)


def test_too_many_pixels_are_refused_before_any_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    def trap(*args: object) -> None:
        raise AssertionError("a pixel was decoded")

    data = colour_image("red", (101, 100), kind="PNG")
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", trap)

    with pytest.raises(ImageTooLarge, match="101 x 100 = 10100 pixels.*10000.*MAX_IMAGE_PIXELS"):
        decode(data, max_pixels=10_000)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF"])
def test_a_truncated_file_is_an_error_not_a_grey_half(kind: str) -> None:
    data = save(noise((200, 200)), kind)

    with pytest.raises(UnsupportedImage):
        decode(data[: len(data) // 2], max_pixels=LIMIT)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"%PDF-1.7\n", "a PDF"),
        (b"PK\x03\x04rest", "a ZIP file"),
        (b"\n<!DOCTYPE html><html>", "an HTML page"),
        (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "an SVG drawing"),
        (b'{"a": 1}', "JSON"),
        (b"\x00\x00\x00\x18ftypheic", "a HEIC image"),
        (b"\x00" * 100, "damaged data"),
    ],
)
def test_what_is_no_image_is_named_for_what_it_is(data: bytes, words: str) -> None:
    with pytest.raises(UnsupportedImage, match=words):
        decode(data, max_pixels=LIMIT)


@pytest.mark.parametrize("kind", ["ICO", "TGA", "PPM", "PCX", "ICNS", "DDS"])
def test_formats_that_are_not_promised_are_not_tried(kind: str) -> None:
    data = save(Image.new("RGB", (16, 16)), kind)

    with pytest.raises(UnsupportedImage):
        decode(data, max_pixels=LIMIT)


@given(st.binary(max_size=200), st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF"]))
def test_any_bytes_give_an_image_or_a_known_error(tail: bytes, kind: str) -> None:
    head = colour_image("red", (20, 20), kind=kind)
    for data in (tail, head[:20] + tail, head[: len(head) // 2] + tail):
        with contextlib.suppress(UnsupportedImage, ImageTooLarge):
            assert decode(data, max_pixels=10_000).mode == "RGB"


def test_the_odd_images_of_the_fixtures_all_decode(fixtures: Path) -> None:
    for path in sorted((fixtures / "images" / "odd").iterdir()):
        assert decode(path.read_bytes(), max_pixels=LIMIT).mode == "RGB", path.name


def test_no_memory_is_not_blamed_on_the_image(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object) -> None:
        raise MemoryError

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load_prepare", fail)

    with pytest.raises(TooManyRequests, match="too little memory"):
        decode(colour_image(), max_pixels=LIMIT)


@pytest.mark.parametrize("error", [RuntimeError, AssertionError, KeyError, RecursionError])
def test_whatever_pillow_raises_is_about_the_file(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object) -> None:
        raise error

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load_prepare", fail)

    with pytest.raises(UnsupportedImage, match="damaged, cut short or of an unusual kind"):
        decode(colour_image(), max_pixels=LIMIT)


@pytest.mark.parametrize(("size", "refused"), [((65535, 1), False), ((65536, 1), True)])
def test_no_side_may_be_longer_than_65535(size: tuple[int, int], refused: bool) -> None:
    data = colour_image(size=size)
    if not refused:
        assert decode(data, max_pixels=LIMIT).size == size
        return
    with pytest.raises(ImageTooLarge, match="no side may have more than 65535"):
        decode(data, max_pixels=LIMIT)


def test_a_jpeg_of_several_images_is_decoded_as_its_first() -> None:
    data = save(noise((40, 30)), "MPO", save_all=True, append_images=[noise((20, 10), seed=1)])

    assert decode(data, max_pixels=LIMIT).size == (40, 30)


@pytest.mark.parametrize("kind", SUPPORTED_FORMATS)
def test_a_file_cut_anywhere_is_an_error(kind: str) -> None:
    data = save(noise((60, 40)), kind)

    for end in range(1, len(data) - 32, max(1, len(data) // 60)):  # the last bytes are no pixels
        with pytest.raises(UnsupportedImage):
            decode(data[:end], max_pixels=LIMIT)


def test_the_wide_pixels_of_a_16_bit_image_are_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[str] = []
    close = Image.Image.close

    def seen(self: Image.Image) -> None:
        closed.append(self.mode)
        close(self)

    data = save(Image.fromarray(np.full((8, 8), 65535, np.uint16)), "PNG")
    monkeypatch.setattr(Image.Image, "close", seen)
    decode(data, max_pixels=LIMIT)

    assert "I;16" in closed
