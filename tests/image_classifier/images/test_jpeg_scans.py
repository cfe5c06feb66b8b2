import pytest

from image_classifier.images.jpeg_scans import count_scans
from tests.support.builders import noise
from tests.support.image_parts import jpeg_segment, jpeg_with, progressive_jpeg, saved, small


def test_a_baseline_jpeg_has_one_scan_and_a_progressive_one_ten() -> None:
    assert count_scans(saved(noise((90, 60)), "JPEG"), enough=101) == 1
    assert count_scans(saved(noise((90, 60)), "JPEG", progressive=True), enough=101) == 10


@pytest.mark.parametrize("scans", [99, 100])
def test_scans_are_counted_one_by_one(scans: int) -> None:
    assert count_scans(progressive_jpeg(64, 64, scans=scans), enough=101) == scans


def test_counting_stops_when_it_is_enough() -> None:
    assert count_scans(progressive_jpeg(64, 64, scans=5000), enough=101) == 101


def test_what_is_no_scan_of_the_image_does_not_count() -> None:
    thumbnail = jpeg_with(jpeg_segment(0xE1, b"\xff\xda\x00\x02" * 500))
    video = small("JPEG") + b"\xff\xda\x00\x02" * 500

    assert count_scans(thumbnail, enough=101) == 1
    assert count_scans(video, enough=101) == 1


def test_bytes_that_end_anywhere_are_no_problem() -> None:
    data = progressive_jpeg(64, 64, scans=120)
    for end in range(len(data) - 30, len(data)):
        assert count_scans(data[:end], enough=101) == 101
    assert count_scans(b"\xff\xda" * 300, enough=101) == 1  # as long as the next two bytes say
    assert count_scans(b"", enough=101) == 0


@pytest.mark.parametrize("before", [0, 1, 2**18 - 1, 2**18])
def test_scans_are_found_wherever_they_begin(before: int) -> None:
    comment = b"".join(jpeg_segment(0xFE, bytes(n)) for n in (before % 60_000, *[60_000] * 5))
    scans = progressive_jpeg(64, 64, scans=120)
    data = scans[:2] + comment + scans[2:]

    assert count_scans(data, enough=200) == 120
    assert count_scans(data, enough=101) == 101
