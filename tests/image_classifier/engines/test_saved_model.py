"""SavedModels: signatures as exported, every dtype, tensor names, shapes left to the graph."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from image_classifier import Classifier, Settings
from image_classifier.engines.base import EngineOptions
from image_classifier.engines.registry import ENGINES
from image_classifier.errors import InvalidRequest, ModelError
from image_classifier.model_files.signatures import NUMPY_DTYPES, TensorInfo
from image_classifier.models.model import Model
from tests.support.builders import colour_image
from tests.support.saved_models import half_plus_two, many_types


@pytest.fixture(scope="module")
def half(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return half_plus_two(tmp_path_factory.mktemp("half") / "1")


@pytest.fixture(scope="module")
def types(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return many_types(tmp_path_factory.mktemp("types") / "1")


def test_signatures_are_read_as_exported(half: Path) -> None:
    model = Model("half", 1, half).load()

    assert set(model.signatures) == {
        "serving_default",
        "two_outputs",
        "regress_x_to_y",
        "classify_x_to_y",
        "classify_scores",
    }
    default = model.signatures["serving_default"]
    assert default.inputs == {"x": TensorInfo("x:0", "DT_FLOAT", (-1, 1))}
    assert default.outputs == {"y": TensorInfo("y:0", "DT_FLOAT", (-1, 1))}
    assert default.method_name == "tensorflow/serving/predict"
    assert model.engine_name == "tensorflow"


def test_a_shape_other_than_the_signatures_is_the_graphs_business(half: Path) -> None:
    saved = Model("half", 1, half).load().saved_model
    assert saved is not None

    for shape in ((3,), (1, 3), (2, 1), (2, 2, 2)):
        found = saved.run_signature("serving_default", {"x": np.ones(shape, np.float32)}, ["y"])[
            "y"
        ]
        assert found.shape == shape
        assert (found == 2.5).all()


@pytest.mark.parametrize("name", sorted(set(NUMPY_DTYPES) - {"DT_COMPLEX64", "DT_COMPLEX128"}))
def test_every_dtype_goes_in_and_comes_out(types: Path, name: str) -> None:
    saved = ENGINES["tensorflow"].load_saved_model(types / "saved_model.pb", EngineOptions())
    spelled = {"DT_FLOAT": "float32", "DT_DOUBLE": "float64", "DT_HALF": "float16"}
    signature = "echo_" + spelled.get(name, name.removeprefix("DT_").lower())
    dtype = NUMPY_DTYPES[name]
    value = np.array([[0, 1], [1, 0]], dtype)
    if name == "DT_STRING":
        value = np.array([[b"", b"\x00\xff"], ["ü".encode(), b"a"]], object)

    assert saved.signatures[signature].inputs["value"].dtype == name
    assert saved.signatures[signature].inputs["value"].shape is None
    found = saved.run_signature(signature, {"value": value}, ["value"])["value"]

    assert found.dtype == dtype
    assert (found == value).all()


def test_an_input_that_the_graph_refuses_is_the_callers_mistake(half: Path) -> None:
    saved = ENGINES["tensorflow"].load_saved_model(half / "saved_model.pb", EngineOptions())
    examples = np.array([b"no example"], object)

    with pytest.raises(InvalidRequest, match="Could not parse example input"):
        saved.run_signature("regress_x_to_y", {"inputs": examples}, ["outputs"])


def test_a_saved_model_without_labels_is_no_image_classifier(tmp_path: Path) -> None:
    half_plus_two(tmp_path / "models" / "half" / "1")
    classifier = Classifier(Settings.from_environ({}), app_root=tmp_path)

    with pytest.raises(InvalidRequest, match=r"no image classifier.*v1/models/half:predict"):
        classifier.classify_bytes(colour_image(), model="half")


def test_a_damaged_saved_model_is_named(tmp_path: Path) -> None:
    folder = half_plus_two(tmp_path / "half" / "1")
    (folder / "saved_model.pb").write_bytes(b"not a model")

    with pytest.raises(ModelError, match=r"saved_model\.pb is not a SavedModel that"):
        Model("half", 1, folder).load()


def test_with_labels_and_a_model_json_it_classifies_images(tmp_path: Path) -> None:
    import tensorflow as tf

    class Colours(tf.Module):  # type: ignore[misc]
        @tf.function(input_signature=[tf.TensorSpec([None, 16, 16, 3], tf.float32, "pixels")])  # type: ignore[untyped-decorator]
        def scores(self, pixels: object) -> dict[str, object]:
            return {"scores": tf.nn.softmax(tf.reduce_mean(pixels, [1, 2]) / 16.0)}

    folder = tmp_path / "models" / "colours" / "1"
    module = Colours()
    tf.saved_model.save(module, str(folder), {"serving_default": module.scores})
    (folder / "labels.txt").write_text("Red\nGreen\nBlue")
    input_spec = {"input": "pixels", "output": "scores", "size": 16, "channels": "RGB"}
    (folder / "model.json").write_text(json.dumps(input_spec))
    classifier = Classifier(Settings.from_environ({}), app_root=tmp_path)

    prediction = classifier.classify_bytes(colour_image("green"), model="colours")

    assert prediction.predicted_tag_name == "Green"
    assert prediction.engine == "tensorflow"
    signatures = classifier.repository.load("colours").signatures
    assert set(signatures) >= {"serving_default", "bytes", "probabilities", "tensors"}
    assert list(signatures["serving_default"].inputs) == ["pixels"], "the file's own comes first"


def test_a_model_json_with_a_wrong_name_is_refused(tmp_path: Path) -> None:
    folder = half_plus_two(tmp_path / "half" / "1")
    (folder / "labels.txt").write_text("a")
    (folder / "model.json").write_text('{"input": "x", "output": "nowhere", "size": 1}')

    with pytest.raises(ModelError, match="has no tensor 'nowhere:0', which model.json calls for"):
        Model("half", 1, folder).load()
