from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import ExifTags, Image

from benchmarks.data.synthetic_images import phone_photo
from benchmarks.data.workload import Workload
from benchmarks.entries import decode_agreement, large_images
from benchmarks.entries.decode_agreement import DIFFERENCE, agreement_case, generate
from benchmarks.entries.large_images import (
    BASELINE,
    EXACT,
    FAST,
    PIXELS,
    PROGRESSIVE,
    WHOLE,
    large_case,
)
from benchmarks.harness.case import WrongAnswer
from benchmarks.harness.measure import run_case
from benchmarks.harness.records import case_record, verdicts

SIZE = (3400, 800)  # large enough for the decoder's own scaling


@pytest.mark.slow
def test_both_ways_are_timed_on_both_kinds_of_jpeg(demo: Workload) -> None:
    samples = run_case(large_case(demo, quick=True, size=SIZE))

    assert set(samples.series()) == {
        (who, kind, figure)
        for who in (EXACT, FAST)
        for kind in (BASELINE, PROGRESSIVE)
        for figure in (PIXELS, WHOLE)
    }
    for who, kind, _ in samples.series():
        assert 0 < samples.median(who, kind, PIXELS) < samples.median(who, kind, WHOLE)


def test_a_fast_answer_that_is_too_far_off_ends_the_run(
    demo: Workload, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(large_images, "LARGEST_DIFFERENCE", -1.0)

    with pytest.raises(WrongAnswer, match="DECODE=fast"):
        run_case(large_case(demo, quick=True, size=SIZE))


@pytest.mark.parametrize("progressive", [False, True])
def test_the_photo_is_what_phones_write(progressive: bool) -> None:
    with Image.open(io.BytesIO(phone_photo(progressive=progressive, size=(64, 48)))) as image:
        assert image.getexif()[ExifTags.Base.Orientation] == 6
        assert bool(image.info.get("progressive")) is progressive


@pytest.mark.slow
def test_generated_photos_are_the_same_every_time_and_differ(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    first, again = generate(tmp_path / "one", 3), generate(tmp_path / "two", 2)

    data = {name: file.read_bytes() for name, file in first.items()}
    assert {name: file.read_bytes() for name, file in again.items()} == {
        name: data[name] for name in again
    }
    assert len(set(data.values())) == 3
    sizes = set()
    for one in data.values():
        with Image.open(io.BytesIO(one)) as image:
            sizes.add(image.size)
    assert len(sizes) == 3


@pytest.fixture
def photos(tmp_path: Path) -> dict[str, Path]:
    return generate(tmp_path, 2)


def test_agreement_counts_every_image(demo: Workload, photos: dict[str, Path]) -> None:
    case = agreement_case("photos", [demo], photos)
    samples = run_case(case)

    assert len(samples.values("digits", "2 photos", DIFFERENCE)) == 2
    tops, difference = verdicts(case, samples)
    assert (tops.goal, difference.goal) == ("<= 0", "<= 0.02")
    (note,) = case_record(case, samples)["notes"]
    assert note.startswith("digits: ")


def test_agreement_tells_where_it_does_not_hold(
    demo: Workload, photos: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def compared(model: Workload, images: object) -> object:
        return [("photo 0", 0.3, "7 (0.9) with exact, 1 (0.8) with fast"), ("photo 1", 0.0, None)]

    monkeypatch.setattr(decode_agreement, "_compared", compared)
    case = agreement_case("photos", [demo], photos)
    samples = run_case(case)

    assert [(v.measured, v.met) for v in verdicts(case, samples)] == [
        ("1.00", False),
        ("0.30", False),
    ]
    notes = case_record(case, samples)["notes"]
    assert notes[0] == "digits: 1 equal, 1 more than 0.02; largest 0.3 (photo 0)."
    assert notes[1] == ("Another top tag: digits, photo 0: 7 (0.9) with exact, 1 (0.8) with fast.")
