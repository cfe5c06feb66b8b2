"""The four signatures of every image classifier mean the same whatever engine runs it."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import numpy as np
import pytest

from image_classifier import Classifier, Settings
from image_classifier.protocols.tf_serving.errors import Code, ServingError
from image_classifier.protocols.tf_serving.service import ModelSpec, TensorFlowServing
from tests.support.builders import colour_image

RED, BLUE = colour_image("red"), colour_image("blue")


@pytest.fixture
def serving(classifier: Classifier) -> TensorFlowServing:
    return TensorFlowServing(classifier)


def texts(*values: bytes) -> np.ndarray:
    return np.array(values, object)


def test_serving_default_takes_web_safe_base64_and_gives_labels(serving: TensorFlowServing) -> None:
    images = texts(*map(base64.urlsafe_b64encode, (RED, BLUE, RED)))

    found = serving.predict(ModelSpec("digits"), {"image": images})

    assert found.spec == ModelSpec("digits", 1, "", "serving_default")
    assert list(found.outputs) == ["output_0"]
    assert found.outputs["output_0"].tolist() == [b"Red", b"Blue", b"Red"]


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("padding", [True, False])
def test_base64_may_be_of_either_kind_and_without_padding(
    serving: TensorFlowServing, encode: object, padding: bool
) -> None:
    text: bytes = encode(RED)  # type: ignore[operator]
    image = texts(text if padding else text.rstrip(b"="))

    assert serving.predict(ModelSpec(), {"image": image}).outputs["output_0"].tolist() == [b"Red"]


def test_bytes_takes_files_as_they_are(serving: TensorFlowServing) -> None:
    found = serving.predict(ModelSpec("digits", signature_name="bytes"), {"image": texts(BLUE)})

    assert found.outputs["output_0"].tolist() == [b"Blue"]


def test_probabilities_are_those_of_the_rest_of_the_app(
    serving: TensorFlowServing, classifier: Classifier
) -> None:
    spec = ModelSpec("digits", signature_name="probabilities")
    found = serving.predict(spec, {"image": texts(RED, BLUE)}).outputs

    assert found["label"].tolist() == [b"Red", b"Blue"]
    assert found["probabilities"].dtype == np.float32
    expected = [classifier.classify_bytes(image).scores for image in (RED, BLUE)]
    assert np.array_equal(found["probabilities"], np.array(expected, np.float32))


def test_tensors_is_the_graph_itself_by_key_and_by_tensor_name(serving: TensorFlowServing) -> None:
    spec = ModelSpec("digits", signature_name="tensors")
    batch = np.zeros((2, 32, 32, 3), np.float32)
    batch[0, :, :, 2] = 255  # red of B, G, R

    by_key = serving.predict(spec, {"input": batch})
    by_name = serving.predict(spec, {"data": batch})
    filtered = serving.predict(spec, {"input": batch}, ["model_output"])

    assert list(by_key.outputs) == ["output"]
    assert list(by_name.outputs) == list(filtered.outputs) == ["model_output"]
    assert by_key.outputs["output"][0].argmax() == 2
    assert np.array_equal(by_key.outputs["output"], by_name.outputs["model_output"])


def test_no_image_is_no_answer(serving: TensorFlowServing) -> None:
    spec = ModelSpec("digits", signature_name="probabilities")
    found = serving.predict(spec, {"image": texts()}).outputs

    assert found["probabilities"].shape == (0, 3)
    assert found["label"].shape == (0,)


@pytest.mark.parametrize(
    ("signature", "name", "value", "words"),
    [
        ("serving_default", "image", texts(b"***"), "not base64 text"),
        ("serving_default", "image", texts(base64.b64encode(b"no image")), "not an image"),
        ("bytes", "image", texts(b""), "0 bytes"),
        ("bytes", "image", texts(b"<html>"), "an HTML page"),
        ("bytes", "image", np.array(RED, object), r"has shape \[\]"),
        ("bytes", "image", np.zeros(1, np.float32), r"Expects arg\[0\] to be string but float is"),
        ("tensors", "input", np.zeros((1, 3), np.float32), r"the model takes \[number of images"),
        (
            "tensors",
            "input",
            np.zeros((1, 32, 32, 3), np.float64),
            r"Expects arg\[0\] to be float but double is provided",
        ),
    ],
)
def test_what_cannot_be_used_is_an_invalid_argument_in_words(
    serving: TensorFlowServing, signature: str, name: str, value: object, words: str
) -> None:
    with pytest.raises(ServingError, match=words) as caught:
        serving.predict(ModelSpec("digits", signature_name=signature), {name: value})  # type: ignore[dict-item]

    assert caught.value.code is Code.INVALID_ARGUMENT


@pytest.mark.tensorflow
def test_the_real_exports_answer_as_their_exporter_does(fixtures: Path, tmp_path: Path) -> None:
    expected = json.loads((fixtures / "expected.json").read_text("utf-8"))["predictions"]
    for folder in (fixtures / "custom_vision").iterdir():
        target = tmp_path / "models" / folder.name / "0"
        target.mkdir(parents=True)
        for name in ("model.pb", "labels.txt"):
            (target / name).symlink_to(folder / name)
    serving = TensorFlowServing(Classifier(Settings.from_environ({}), app_root=tmp_path))

    for model, answers in expected.items():
        images = [image for image in answers if image.startswith("catdog/")][:4]
        files = texts(*[(fixtures / "images" / image).read_bytes() for image in images])
        found = serving.predict(ModelSpec(model, signature_name="probabilities"), {"image": files})
        labels = serving.find(ModelSpec(model)).labels
        assert found.spec.version == 0
        for image, row in zip(images, found.outputs["probabilities"], strict=True):
            for label, probability in zip(labels, row.tolist(), strict=True):
                assert probability == pytest.approx(answers[image].get(label, 0), abs=1e-4)
