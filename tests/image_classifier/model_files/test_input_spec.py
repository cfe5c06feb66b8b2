import json
from pathlib import Path
from typing import Any

import pytest

from image_classifier.errors import ModelError
from image_classifier.model_files.input_spec import InputSpec, parse_input_spec, read_input_spec

GOOD: dict[str, Any] = {"input": "input", "output": "out:1", "size": [64, 48]}


def written(tmp_path: Path, value: Any) -> Path:
    path = tmp_path / "model.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value), "utf-8")
    return path


def test_the_least_that_a_model_json_needs(tmp_path: Path) -> None:
    assert read_input_spec(written(tmp_path, GOOD)) == InputSpec(
        input_name="input:0",
        output_name="out:1",
        height=64,
        width=48,
        channels="RGB",
        resize="crop",
    )


def test_everything_that_a_model_json_can_say(tmp_path: Path) -> None:
    full = {
        **GOOD,
        "size": 32,
        "resize": "stretch",
        "channels": "GRAY",
        "mean": [127.5],
        "scale": 0.5,
    }
    input_spec = read_input_spec(written(tmp_path, full))

    assert (input_spec.height, input_spec.width, input_spec.channels) == (32, 32, "GRAY")
    assert (input_spec.mean, input_spec.scale, input_spec.resize) == ((127.5,), 0.5, "stretch")


@pytest.mark.parametrize("size", [[1, 4096], [4096, 1]])
def test_the_smallest_and_the_largest_size_are_taken(tmp_path: Path, size: list[int]) -> None:
    input_spec = read_input_spec(written(tmp_path, {**GOOD, "size": size}))

    assert [input_spec.height, input_spec.width] == size


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"input": None}, "names of tensors"),
        ({"size": [64]}, "size must be"),
        ({"size": [0, 64]}, "size must be"),
        ({"size": "64"}, "size must be"),
        ({"size": [64, 4097]}, "size must be"),
        ({"size": [4097, 64]}, "size must be"),
        ({"size": [64, 0]}, "size must be"),
        ({"channels": "CMYK"}, "channels is 'CMYK', it must be one of BGR, RGB, GRAY"),
        ({"channels": ["RGB"]}, "channels is"),
        ({"resize": "magic"}, "must be one of custom_vision, crop, stretch, accel"),
        ({"resize": "accel", "size": 257}, "size must be at most 256 with resize accel"),
        ({"mean": [1, 2]}, "mean must be a list of 3 numbers"),
        ({"mean": ["a", "b", "c"]}, "could not convert"),
        ({"scale": "big"}, "could not convert"),
        ({"scale": [1, 2]}, "scale must be a number, or a list of 3 numbers"),
        ({"scale": ["a", "b", "c"]}, "could not convert"),
        ({"chanels": "RGB"}, "unknown keys chanels"),
    ],
)
def test_a_wrong_value_is_named(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    with pytest.raises(ModelError, match=words) as error:
        read_input_spec(written(tmp_path, {**GOOD, **change}))

    assert "model.json" in error.value.message
    assert "should look like" in error.value.message


@pytest.mark.parametrize("key", ["input", "output", "size"])
def test_a_missing_key_is_named(tmp_path: Path, key: str) -> None:
    with pytest.raises(ModelError, match=f"the key '{key}' is missing"):
        read_input_spec(written(tmp_path, {k: v for k, v in GOOD.items() if k != key}))


@pytest.mark.parametrize("text", ["", "{", "[]", "\ufeff[1]"])
def test_what_is_no_json_object_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ModelError, match="model.json"):
        read_input_spec(written(tmp_path, text))


@pytest.mark.parametrize("scale", [0.25, (0.25,)])
def test_a_input_spec_survives_being_written_and_read(scale: float | tuple[float]) -> None:
    input_spec = InputSpec(
        input_name="a:0",
        output_name="b:0",
        height=3,
        width=5,
        channels="GRAY",
        mean=(1.5,),
        scale=scale,
        resize="stretch",
    )

    assert parse_input_spec(json.dumps(input_spec.as_dict()), where="here") == input_spec
