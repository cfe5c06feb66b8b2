"""The same calls of accelerated clients find the same in a SavedModel and in what it became."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from image_classifier import Classifier, Settings
from image_classifier.protocols.tf_serving.errors import Code, ServingError
from image_classifier.protocols.tf_serving.service import ModelSpec, TensorFlowServing
from image_classifier_client import PredictionClient
from model_server.accelerated_models.requests import predict_for_accelerated
from model_server.accelerated_models.signature_matching import ROUTE
from tests.support.builders import colour_image
from tests.support.model_servers import ModelServer
from tools.convert.conversion import convert_folder
from tools.export import export_classifier, preset
from tools.zoo.build import write_classifier
from tools.zoo.networks import Recipe, with_head

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
SIZE = 32
LABELS = ["blue", "green", "red"]
BLUE = colour_image("blue", (SIZE, SIZE))
FILE = np.array([BLUE], object)
NUMBERS = np.zeros((1, SIZE, SIZE, 3), np.float32)


class Forms(NamedTuple):
    """One classifier of the zoo and one of ``tools.export``, and what they became."""

    zoo: Path
    zoo_onnx: Path
    exported: Path


@pytest.fixture(scope="module")
def forms(tmp_path_factory: pytest.TempPathFactory) -> Forms:
    import keras

    root = tmp_path_factory.mktemp("forms")
    pixels = keras.Input((SIZE, SIZE, 3))
    means = keras.layers.GlobalAveragePooling2D()(pixels)
    featuriser = keras.Model(pixels, keras.layers.Rescaling(1 / 16)(means))
    head = keras.layers.Dense(3, use_bias=False, activation="softmax")
    classifier = with_head(featuriser, head)
    head.set_weights([np.eye(3, dtype=np.float32)])
    recipe = Recipe(network="resnet50", weights="none", size=SIZE)  # B, G, R
    zoo = write_classifier(
        classifier, featuriser, recipe, LABELS, name="zoo", models_dir=root / "models"
    )
    shutil.copytree(zoo, root / "converted" / "zoo" / "1")
    convert_folder(root / "converted" / "zoo" / "1")
    input_spec = preset("none", size=(SIZE, SIZE))
    exported = export_classifier(
        classifier, LABELS[::-1], input_spec, name="exported", models_dir=root / "models"
    )
    return Forms(zoo, root / "converted" / "zoo" / "1", exported)


@pytest.fixture(scope="module")
def endpoints(forms: Forms) -> dict[str, TensorFlowServing]:
    return {form: serving(folder) for form, folder in forms._asdict().items()}


def serving(folder: Path) -> TensorFlowServing:
    environ = {"MODELS_DIR": str(folder.parents[1]), "DEFAULT_MODEL": folder.parent.name}
    return TensorFlowServing(Classifier(Settings.from_environ(environ)))


def asked(
    endpoint: TensorFlowServing, name: str, tensor: Any, outputs: tuple[str, ...] = ()
) -> dict[str, Any]:
    """As the old client asks, which has a route and names no model."""
    metadata = {ROUTE: "/api/v1/service/"}
    found = predict_for_accelerated(endpoint, ModelSpec(), {name: tensor}, outputs, metadata)
    return dict(found.outputs)


@pytest.mark.parametrize("form", ["zoo", "zoo_onnx"])
def test_a_network_of_the_zoo_answers_before_and_after_its_conversion(
    endpoints: dict[str, TensorFlowServing], form: str
) -> None:
    endpoint = endpoints[form]
    default = endpoint.find(ModelSpec()).signatures["serving_default"]
    tensors = {key: info.name for key, info in default.outputs.items()}
    probabilities = asked(endpoint, "images", FILE)
    by_tensor = asked(endpoint, default.inputs["images"].name, FILE)
    labelled = asked(endpoint, "images", FILE, ("labels", "probabilities", "label"))

    assert list(probabilities) == ["probabilities"], "the one output that the old client wants"
    assert probabilities["probabilities"].argmax() == 0
    assert set(by_tensor) == {*tensors, *tensors.values()}
    assert labelled["labels"].tolist() == [label.encode() for label in LABELS]
    assert labelled["label"].tolist() == [b"blue"]
    assert list(asked(endpoint, "image", FILE)) == ["probabilities"]


@pytest.mark.parametrize("form", ["zoo", "zoo_onnx", "exported"])
def test_an_image_classifier_takes_its_input_under_any_name(
    endpoints: dict[str, TensorFlowServing], form: str
) -> None:
    endpoint = endpoints[form]
    for tensor in (FILE, NUMBERS):
        (found,) = asked(endpoint, "Placeholder:0", tensor).values()
        assert found.shape == (1, 3)
    assert list(asked(endpoint, "input", NUMBERS)) == ["output"]
    (numbers,) = asked(endpoint, "images", NUMBERS).values()
    assert numbers.shape == (1, 3)
    # ``serving_default`` takes base64 under that name, which no accelerated client sends.
    assert list(asked(endpoint, "image", FILE)) == ["probabilities"]
    assert asked(endpoint, "x", FILE, ("labels",))["labels"].shape == (3,)


def test_a_files_further_signatures_are_found_by_their_outputs(
    endpoints: dict[str, TensorFlowServing],
) -> None:
    assert asked(endpoints["zoo"], "images", FILE, ("features",))["features"].shape == (1, 3)
    with pytest.raises(ServingError, match="gives features"):
        asked(endpoints["zoo_onnx"], "images", FILE, ("features",))


def test_tensorflows_own_signatures_are_not_called(endpoints: dict[str, TensorFlowServing]) -> None:
    for endpoint in endpoints.values():
        with pytest.raises(ServingError, match="takes nothing") as caught:
            predict_for_accelerated(endpoint, ModelSpec(), {}, (), {ROUTE: ""})
        assert caught.value.code is Code.INVALID_ARGUMENT
        assert "__saved_model" not in caught.value.message


@pytest.fixture(scope="module")
def server(forms: Forms) -> Iterator[ModelServer]:
    base = f"--model_base_path={forms.zoo.parent}"
    with ModelServer("--model_name=zoo", base, rest=False) as running:
        yield running


def test_both_clients_get_on_with_a_saved_model(server: ModelServer, tmp_path: Path) -> None:
    blue = tmp_path / "blue.png"
    blue.write_bytes(BLUE)
    with PredictionClient("127.0.0.1", server.port) as new:
        top = new.classify(blue, top=1)[0]
        scores = new.score_file(blue)
    assert top[0] == "blue" and scores.argmax() == 0
    assert top[1] == pytest.approx(scores.max())

    pytest.importorskip("azureml", reason="azureml-accel-models, the old client, is not installed")
    from benchmarks.baselines.accelerated_models_client import old_client

    old = old_client().PredictionClient("127.0.0.1", server.port)
    assert old.score_file(str(blue)) == pytest.approx(scores)
    assert old.score_file(str(blue), "images", "probabilities") == pytest.approx(scores)
