import struct

import pytest
from PIL import features

from image_classifier.images.avif_limits import MAX_BOXES, MAX_LIST_BYTES, has_long_lists
from tests.support.hostile_images import frames_avif
from tests.support.image_parts import avif_grid, box, small

pytestmark = pytest.mark.skipif(not features.check("avif"), reason="this Pillow has no AVIF")

FTYP = box(b"ftyp", b"avif", bytes(4), b"avif")


def test_real_files_and_small_grids_have_none() -> None:
    assert not has_long_lists(small("AVIF", speed=10))
    assert not has_long_lists(small("AVIF", speed=10, icc_profile=bytes(300_000)))
    assert not has_long_lists(avif_grid(8, 8))


def test_many_parts_are_a_long_list() -> None:
    assert has_long_lists(avif_grid(110, 100))


def test_frames_of_one_size_are_counted_though_they_need_no_list() -> None:
    assert not has_long_lists(frames_avif(16_000))
    assert has_long_lists(frames_avif(17_000))


@pytest.mark.parametrize("kind", [b"iloc", b"iinf", b"iref", b"ipma", b"stco", b"stts", b"new!"])
def test_a_list_is_found_wherever_it_is(kind: bytes) -> None:
    def file(length: int) -> bytes:
        inner = box(kind, bytes(length))
        if kind.startswith(b"st"):
            return FTYP + box(
                b"moov", box(b"trak", box(b"mdia", box(b"minf", box(b"stbl", inner))))
            )
        return FTYP + box(b"meta", bytes(4), inner)

    assert not has_long_lists(file(MAX_LIST_BYTES))
    assert has_long_lists(file(MAX_LIST_BYTES + 1))


def test_a_box_with_a_long_size_or_none_is_looked_into() -> None:
    inner = bytes(4) + box(b"iloc", bytes(MAX_LIST_BYTES + 1))
    long_size = struct.pack(">I4sQ", 1, b"meta", len(inner) + 16) + inner
    to_the_end = struct.pack(">I4s", 0, b"meta") + inner

    assert has_long_lists(FTYP + long_size)
    assert has_long_lists(FTYP + to_the_end)


def test_too_many_boxes_are_a_long_list_too() -> None:
    assert not has_long_lists(FTYP + box(b"free") * (MAX_BOXES - 1))
    assert has_long_lists(FTYP + box(b"free") * MAX_BOXES)


@pytest.mark.parametrize("data", [b"", b"\x00" * 100, b"\xff" * 100, FTYP[:11], FTYP + b"\x00\x01"])
def test_nonsense_is_left_to_the_decoder(data: bytes) -> None:
    assert not has_long_lists(data)
