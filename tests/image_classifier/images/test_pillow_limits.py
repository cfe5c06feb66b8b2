import io

import pytest
from PIL import Image, UnidentifiedImageError

from image_classifier.images.pillow_limits import MAX_NUMBERS, MAX_READS, open_within_limits
from tests.support.builders import colour_image
from tests.support.image_parts import LONG, gif, jpeg_segment, jpeg_with, tiff


class TooBig(Exception):
    pass


def refuse(width: int, height: int) -> None:
    raise TooBig(f"{width} x {height}")


def allow(width: int, height: int) -> None:
    pass


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF"])
def test_every_size_is_checked_and_the_error_passed_on(kind: str) -> None:
    with pytest.raises(TooBig, match="40 x 30"):
        open_within_limits(colour_image(kind=kind), [kind], refuse)


def test_the_size_is_checked_before_room_is_made_for_it() -> None:
    # Pillow fills a frame of this size when the file is opened: 4 GB.
    data = gif((1, 1), (65535, 65535), extensions=b"!\xf9\x04\x08" + bytes(4))

    with pytest.raises(TooBig, match="65535 x 65535"):
        open_within_limits(data, ["GIF"], refuse)


def test_the_check_is_in_force_for_this_call_only() -> None:
    with pytest.raises(TooBig):
        open_within_limits(colour_image(), ["PNG"], refuse)

    Image.open(io.BytesIO(colour_image())).close()


def test_only_the_formats_named_are_tried() -> None:
    with pytest.raises(UnidentifiedImageError):
        open_within_limits(colour_image(kind="GIF"), ["PNG", "JPEG"], allow)


def test_a_file_is_read_a_limited_number_of_times() -> None:
    segments = jpeg_segment(0xFE, b"a")  # four reads each

    fine = open_within_limits(jpeg_with(segments * (MAX_READS // 5)), ["JPEG"], allow)
    assert fine.size == (16, 16)
    with pytest.raises(ValueError, match="too many parts"):
        open_within_limits(jpeg_with(segments * (MAX_READS // 3)), ["JPEG"], allow)


def test_a_directory_gives_a_limited_number_of_numbers() -> None:
    def strips(count: int) -> bytes:
        return tiff(16, 16, (273, LONG, count, b"\x08\x00\x00\x00" * count))

    assert open_within_limits(strips(MAX_NUMBERS // 2), ["TIFF"], allow).size == (16, 16)
    with pytest.raises(ValueError, match="numbers"):
        open_within_limits(strips(MAX_NUMBERS + 1), ["TIFF"], allow)
