"""The figures against numbers worked out by hand, and the tables that show them."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tools.compare.agreement import agreement_of, percentile, top_tag, wilson
from tools.compare.answer_log import Answer, ImageAnswers
from tools.compare.ground_truth import correctness_of
from tools.compare.latency import latency_of
from tools.compare.report import verdict
from tools.compare.tables import difference, milliseconds, safe_table, share

Tags = Mapping[str, float] | None


def answers(file: str, a: Tags, b: Tags) -> ImageAnswers:
    """Both answers to an image; None: there is none."""
    sides = [Answer(tags, error="" if tags else "answered 400: No.") for tags in (a, b)]
    return ImageAnswers(file, "", 1, *sides)


def cat(probability: float) -> dict[str, float]:
    return {"cat": probability, "dog": 1 - probability}


FOUR = [
    answers("1.png", cat(0.75), cat(0.875)),  # the same tag
    answers("2.png", cat(0.25), cat(0.75)),  # another one, both sure
    answers("3.png", cat(0.53125), cat(0.46875)),  # another one, both unsure
    answers("4.png", cat(1.0), cat(1.0)),  # the very same
]


def test_agreement_is_counted_by_the_top_tag() -> None:
    found = agreement_of(FOUR)

    assert (found.images, len(found.compared), found.agreed) == (4, 4, 2)
    assert found.tags == ("cat", "dog")
    assert [each.answers.file for each in found.disagreements] == ["2.png", "3.png"]
    assert [each.is_unsure for each in found.disagreements] == [False, True]
    assert found.interval == pytest.approx((0.15004, 0.84996), abs=1e-5)
    assert found.kept == 0.5


def test_differences_are_those_of_each_tag_on_each_image() -> None:
    found = agreement_of(FOUR)

    # 0.125, 0.5, 0.0625 and 0, each for two tags.
    assert found.differences == (0, 0, 0.0625, 0.0625, 0.125, 0.125, 0.5, 0.5)
    assert found.mean_difference == 0.171875
    assert percentile(found.differences, 95) == 0.5
    assert percentile(found.differences, 50) == 0.0625
    assert found.largest_difference == 0.5
    furthest = [(each.answers.file, each.tag, each.difference) for each in found.furthest(2)]
    assert furthest == [("2.png", "cat", 0.5), ("1.png", "cat", 0.125)]


def test_a_threshold_counts_the_images_whose_tags_reach_it_on_one_side_only() -> None:
    # At 0.5 images 2 and 3 change sides, at 0.8 image 1 gets a tag, at 0.9 nothing happens.
    assert agreement_of(FOUR).changed == {0.5: 2, 0.8: 1, 0.9: 0}
    many = [answers("5.png", {"a": 0.9, "b": 0.8, "c": 0.1}, {"a": 0.9, "b": 0.4, "c": 0.1})]
    assert agreement_of(many).changed == {0.5: 1, 0.8: 1, 0.9: 0}


def test_failures_are_counted_for_each_side_and_compared_with_nothing() -> None:
    some = [
        *FOUR,
        answers("5.png", None, cat(0.5)),
        answers("6.png", cat(0.5), None),
        answers("7.png", cat(0.5), None),
        answers("8.png", None, None),
    ]
    found = agreement_of(some)

    assert (found.failed_a, found.failed_b, found.failed_both) == (1, 2, 1)
    assert (found.images, len(found.compared)) == (8, 4)
    # Two of the six that A answered are answered the same by B.
    assert found.kept == pytest.approx(2 / 6)


def test_tags_of_one_side_only_are_told_apart_from_tags_without_probability() -> None:
    found = agreement_of(
        [
            answers("1.png", {"cat": 0.5, "dog": 0.25, "owl": 0.25}, {"cat": 0.5, "eel": 0.5}),
            answers("2.png", {"cat": 0.5, "dog": 0.5}, {"dog": 1.0}),
        ]
    )

    assert (found.only_a, found.only_b) == (("owl",), ("eel",))
    assert found.tags == ("cat", "dog")
    # Where a side leaves out a tag that it knows, its probability is 0 there.
    assert found.differences == (0, 0.25, 0.5, 0.5)


def test_without_a_tag_in_common_there_is_no_difference_to_speak_of() -> None:
    found = agreement_of([answers("1.png", {"cat": 1.0}, {"Katze": 1.0})])

    assert (found.agreed, found.differences) == (0, ())
    assert "have no tag in common" in verdict(found)


def test_of_equal_tags_both_sides_take_the_same() -> None:
    assert top_tag({"b": 0.5, "a": 0.5}) == top_tag({"a": 0.5, "b": 0.5}) == ("a", 0.5)


@pytest.mark.parametrize(
    ("successes", "count", "low", "high"),
    [
        # Brown, Cai and DasGupta's formula, by hand; z = 1.96.
        (198, 200, 0.96428, 0.99725),
        (0, 10, 0.0, 0.27753),
        (10, 10, 0.72247, 1.0),
        (5, 10, 0.23659, 0.76341),
        (0, 0, 0.0, 1.0),
    ],
)
def test_wilsons_interval(successes: int, count: int, low: float, high: float) -> None:
    assert wilson(successes, count) == pytest.approx((low, high), abs=1e-5)


def test_the_verdict_is_one_line() -> None:
    images = [answers(f"{number}.png", cat(0.75), cat(0.75)) for number in range(198)]
    images += [answers(f"{number}.png", cat(0.625), cat(0.375)) for number in (198, 199)]

    assert verdict(agreement_of(images)) == (
        "The two agree on 198 of 200 images (99.0 %, at least 96.4 % with 95 % confidence); "
        "probabilities differ by 0.0025 on average and by at most 0.25."
    )
    one_failed = [*images, answers("x.png", None, cat(0.5))]
    assert verdict(agreement_of(one_failed)).endswith(" 1 image was not answered by both.")
    assert verdict(agreement_of([])).startswith("No image was answered by both")


# --- Who is right


def test_the_folder_of_an_image_says_who_is_right() -> None:
    found = correctness_of(
        [
            answers("cat/1.png", cat(0.75), cat(0.75)),  # both
            answers("cat/deep/2.png", cat(0.75), cat(0.25)),  # A
            answers("dog/3.png", cat(0.75), cat(0.25)),  # B
            answers("dog/4.png", cat(0.75), cat(0.75)),  # neither
            answers("dog/5.png", cat(0.25), None),  # not compared
            answers("6.png", cat(0.25), cat(0.25)),  # in no folder
            answers("eel/7.png", cat(0.25), cat(0.25)),  # no tag
        ]
    )

    assert found.images == 4
    assert (found.both, found.only_a, found.only_b, found.neither) == (1, 1, 1, 1)
    assert (found.right_a, found.right_b) == (2, 2)
    assert found.wrong == {("dog", "cat"): (2, 1), ("cat", "dog"): (0, 1)}
    assert found.no_tags == ("eel",)


# --- Times


def test_first_answers_and_those_that_failed_are_not_among_the_times() -> None:
    found = latency_of(
        [
            Answer({"a": 1.0}, milliseconds=900.0, opened_connection=True),
            *(Answer({"a": 1.0}, milliseconds=float(each), retries=1) for each in (40, 10, 30, 20)),
            Answer(error="no", retries=5),
        ]
    )

    assert found.times == (10, 20, 30, 40)
    assert found.first == (900,)
    assert (found.percentile(50), found.percentile(95), found.percentile(100)) == (20, 40, 40)
    assert found.retries == 9
    assert latency_of([]).percentile(50) is None


# --- Tables


def test_a_table_is_aligned_and_is_markdown() -> None:
    shown = safe_table(["file", "n"], [["a|b.png", "7"], ["\x1b[2J<b>\n世界", "1,000"]], right=1)

    assert shown.splitlines() == [
        "| file          |     n |",
        "| ------------- | ----: |",
        "| a\\|b.png      |     7 |",
        "| \ufffd[2J\\<b> 世界 | 1,000 |",
    ]


def test_a_share_is_never_rounded_up_to_all() -> None:
    assert share(1999, 2000) == "99.9 %"
    assert share(2000, 2000) == "100.0 %"
    assert share(0, 0) == "–"


def test_numbers_have_the_digits_that_count() -> None:
    assert [difference(each) for each in (0, 0.000012, 0.00123, 0.2, 1.0)] == [
        "0",
        "below 0.0001",
        "0.0012",
        "0.20",
        "1.0",
    ]
    assert [milliseconds(each) for each in (None, 3.14159, 31.4159, 1234.5)] == [
        "–",
        "3.1",
        "31.4",
        "1,234",
    ]
