"""A signatures.json gives serving_default its names; a damaged one is said to be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from image_classifier import Classifier, Settings
from image_classifier.errors import ModelError
from image_classifier.model_files.signatures import Signature, TensorInfo
from image_classifier.model_files.signatures_json import read_default_signature, signatures_as_dict
from image_classifier.models.model import Model
from image_classifier.protocols.tf_serving.service import ModelSpec, TensorFlowServing
from tests.support.builders import colour_image, model_folder

IMAGES = TensorInfo("Placeholder:0", "DT_STRING", (-1,))
SCORES = TensorInfo("scores/Softmax:0", "DT_FLOAT", (-1, 3))
DEFAULT = Signature({"images": IMAGES}, {"probabilities": SCORES})


def beside(models: Path, onnx: bytes, default: Any) -> Path:
    folder = model_folder(models, onnx=onnx)
    text = default if isinstance(default, str) else json.dumps({"serving_default": default})
    (folder / "signatures.json").write_text(text)
    return folder


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    odd = Signature({"a": TensorInfo("a:0", "DT_INT64", None)}, {"b": SCORES})
    for signature in (DEFAULT, odd):
        listed = signatures_as_dict({"serving_default": signature})
        (tmp_path / "signatures.json").write_text(json.dumps(listed))
        assert read_default_signature(tmp_path) == signature


def test_without_the_file_nothing_changes(tmp_path: Path) -> None:
    assert read_default_signature(tmp_path) is None


def test_a_model_takes_images_by_its_key_and_by_its_tensor(
    tmp_path: Path, colours_onnx: bytes
) -> None:
    listed = signatures_as_dict({"d": DEFAULT})["d"]
    beside(tmp_path, colours_onnx, listed)
    settings = Settings.from_environ({"MODELS_DIR": str(tmp_path), "DEFAULT_MODEL": "colours"})
    serving = TensorFlowServing(Classifier(settings))
    image = np.empty(1, object)
    image[0] = colour_image("green")

    for name in ("images", "Placeholder:0"):
        (scores,) = serving.predict(ModelSpec(), {name: image}).outputs.values()
        assert scores.shape == (1, 3)
        assert scores.argmax() == 1
    # The other signatures are as ever.
    found = serving.predict(ModelSpec(signature_name="bytes"), {"image": image}).outputs
    assert found["output_0"].tolist() == [b"Green"]


@pytest.mark.parametrize(
    ("default", "words"),
    [
        ("{", "is not what tools.zoo writes"),
        ("[]", "is not what tools.zoo writes"),
        ({"inputs": {}}, "KeyError: 'outputs'"),
        ({"inputs": {"images": {"tensor": "a:0", "dtype": "TEXT", "shape": []}}, "outputs": {}},
         "there is no dtype 'TEXT'"),
        ({"inputs": {}, "outputs": {}}, "must take images and give label and probabilities"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used_is_named(
    tmp_path: Path, colours_onnx: bytes, default: Any, words: str
) -> None:
    folder = beside(tmp_path, colours_onnx, default)
    with pytest.raises(ModelError, match=words) as caught:
        Model("colours", 1, folder).load()

    assert str(folder) in caught.value.message
