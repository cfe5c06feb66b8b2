import dataclasses
from datetime import datetime

import pytest

from image_classifier.results import Prediction, StageTimes, TagProbability, tags_from_scores


def prediction(*tags: tuple[str, float]) -> Prediction:
    return Prediction(
        created=datetime(2026, 11, 20, 14, 13, 43),
        tags=tuple(TagProbability(*tag) for tag in tags),
        labels=tuple(name for name, _ in tags),
        scores=tuple(score for _, score in tags),
        model="m",
        version=1,
        engine="tensorflow",
    )


def test_the_dict_has_the_tutorials_keys_and_always_microseconds() -> None:
    assert prediction(("Cat", 0.25), ("Dog", 0.75)).as_dict() == {
        "created": "2026-11-20T14:13:43.000000",
        "predictedTagName": "Dog",
        "prediction": [
            {"tagName": "Cat", "probability": 0.25},
            {"tagName": "Dog", "probability": 0.75},
        ],
    }


def test_the_first_of_equal_tags_is_predicted() -> None:
    assert prediction(("Cat", 0.5), ("Dog", 0.5)).predicted_tag_name == "Cat"


def test_no_tag_means_none_is_predicted() -> None:
    assert prediction().predicted_tag_name is None


def test_scores_are_rounded_first_and_tiny_ones_left_out_in_label_order() -> None:
    tags = tags_from_scores(["a", "b", "c", "d"], [0.123456789, 1.4e-8, 1.6e-8, 0.0])

    assert tags == (TagProbability("a", 0.12345679), TagProbability("c", 2e-8))


def test_a_score_that_is_not_a_number_is_left_out() -> None:
    assert tags_from_scores(["a"], [float("nan")]) == ()


def test_more_labels_than_scores_is_a_bug_that_shows() -> None:
    with pytest.raises(ValueError, match="zip"):
        tags_from_scores(["a", "b"], [1.0])


def test_stage_times_leave_out_what_did_not_happen() -> None:
    assert StageTimes(decode=1.0, infer=2.0).items() == [("decode", 1.0), ("infer", 2.0)]


def test_results_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        prediction().model = "other"  # type: ignore[misc]
