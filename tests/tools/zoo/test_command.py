"""A network of the zoo is served by the app, by the model server's API and by ONNX Runtime."""

from __future__ import annotations

import io
import json
import re
import shlex
from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from image_classifier import Classifier, Settings
from image_classifier.models.model import Model
from image_classifier.protocols.tf_serving.service import ModelSpec, TensorFlowServing
from tests.support.builders import colour_image, noise
from tools.export.classifier import TOLERANCE
from tools.shared.steps import Steps
from tools.zoo.__main__ import main
from tools.zoo.build import write_classifier, write_featuriser
from tools.zoo.commands import images_of, write_and_verify
from tools.zoo.networks import NETWORKS, PREPROCESSING, Recipe, with_head

# Keras's way of reading a variable, which NumPy warns of.
pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]
ROOT = Path(__file__).resolve().parents[3]
SIZE = 64  # pixels: a tenth of the time of 224


@pytest.fixture(scope="module")
def resnet50(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real network with random weights, built by the command."""
    root = tmp_path_factory.mktemp("zoo") / "models"
    command = ["build", "resnet50", "--weights", "none", "--size", str(SIZE)]
    assert main([*command, "--models-dir", str(root)]) == 0
    return root / "resnet50" / "1"


@pytest.fixture(scope="module")
def endpoints(resnet50: Path) -> tuple[Classifier, TensorFlowServing]:
    return served(resnet50)


@pytest.fixture(scope="module")
def small() -> tuple[Any, Any]:
    return small_network(np.eye(3))


def small_network(kernel: Any) -> tuple[Any, Any]:
    """A classifier of main colours in the place of a large network, and its featuriser."""
    import keras

    pixels = keras.Input((SIZE, SIZE, 3))
    means = keras.layers.GlobalAveragePooling2D()(pixels)
    featuriser = keras.Model(pixels, keras.layers.Rescaling(1 / 16)(means))
    head = keras.layers.Dense(3, use_bias=False, activation="softmax")
    classifier = with_head(featuriser, head)
    head.set_weights([np.asarray(kernel, np.float32)])
    return classifier, featuriser


def served(folder: Path) -> tuple[Classifier, TensorFlowServing]:
    environ = {"MODELS_DIR": str(folder.parents[1]), "DEFAULT_MODEL": folder.parent.name}
    classifier = Classifier(Settings.from_environ(environ))
    return classifier, TensorFlowServing(classifier)


def encoded(image: Image.Image, kind: str = "PNG") -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind)
    return stream.getvalue()


def files(*data: bytes) -> Any:
    array = np.empty(len(data), object)
    array[:] = data
    return array


Endpoints = tuple[Classifier, TensorFlowServing]


def test_it_takes_images_by_default_and_gives_named_outputs(endpoints: Endpoints) -> None:
    _, serving = endpoints
    images = [encoded(noise((90, 70))), encoded(noise((SIZE, SIZE)), "JPEG")]
    # The old clients name no model and no signature.
    found = serving.predict(ModelSpec(), {"images": files(*images)}).outputs

    assert set(found) == {"label", "probabilities"}
    assert found["probabilities"].shape == (2, 1000)
    assert found["probabilities"].sum(1) == pytest.approx(1, abs=1e-4)
    assert found["label"].tolist() == [
        f"class {best}".encode() for best in found["probabilities"].argmax(1)
    ]


def test_its_tensors_can_be_looked_up_by_their_names_in_the_graph(
    resnet50: Path, endpoints: Endpoints
) -> None:
    _, serving = endpoints
    listed = json.loads((resnet50 / "signatures.json").read_text())
    own = serving.find(ModelSpec("resnet50")).signatures
    assert listed.keys() == {"serving_default", "bytes", "probabilities", "tensors", "features"}
    for name, sides in listed.items():
        for side, tensors in sides.items():
            assert tensors == {
                key: {"tensor": info.name, "dtype": info.dtype, "shape": list(info.shape)}
                for key, info in getattr(own[name], side).items()
            }

    default = listed["serving_default"]
    by_name = default["inputs"]["images"]["tensor"]
    scores = default["outputs"]["probabilities"]["tensor"]
    assert by_name == "serving_default_images:0"
    image = files(encoded(noise((SIZE, SIZE))))
    found = serving.predict(ModelSpec(), {by_name: image}, [scores]).outputs
    assert found[scores].shape == (1, 1000)


def test_the_app_classifies_with_it_as_the_graph_does(endpoints: Endpoints) -> None:
    classifier, serving = endpoints
    image = encoded(noise((SIZE, SIZE)))

    scores = serving.predict(ModelSpec(), {"images": files(image)}).outputs["probabilities"][0]
    assert classifier.classify_bytes(image).scores == pytest.approx(scores.tolist(), abs=1e-5)


def test_what_it_was_built_from_stands_beside_it_and_builds_the_same(
    resnet50: Path, endpoints: Endpoints
) -> None:
    from tools.zoo.networks import fingerprint

    about = json.loads((resnet50 / "zoo.json").read_text())
    sha256, _ = about.pop("features_sha256"), about.pop("keras")
    recipe = Recipe(**about)
    featuriser = recipe.featuriser(recipe.complete())
    assert recipe == Recipe(network="resnet50", weights="none", size=SIZE)
    assert fingerprint(featuriser) == sha256

    image = noise((SIZE, SIZE))
    _, serving = endpoints
    spec = ModelSpec(signature_name="features")
    found = serving.predict(spec, {"images": files(encoded(image))}).outputs["features"]
    import keras

    fed = keras.applications.resnet.preprocess_input(np.asarray(image, np.float32)[None])
    assert found.shape == (1, NETWORKS["resnet50"].width)
    assert found == pytest.approx(np.asarray(featuriser(fed)), abs=1e-4)


@pytest.mark.parametrize(
    ("network", "module"),
    [
        ("resnet50", "resnet50"),
        ("resnet152", "resnet"),
        ("densenet121", "densenet"),
        ("vgg16", "vgg16"),
    ],
)
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_the_graph_preprocesses_as_kerass_own_function_does(
    network: str, module: str, kind: str
) -> None:
    import keras

    from tools.export.preprocessing_graph import tensor_of_file

    data = encoded(noise((224, 224)), kind)
    pixels = np.asarray(Image.open(io.BytesIO(data)), np.float32)
    wanted = getattr(keras.applications, module).preprocess_input(pixels.copy())
    found = tensor_of_file(data, Recipe(network=network).input_spec()).numpy()

    assert found.shape == (224, 224, 3)
    assert np.abs(found - wanted).max() <= 2e-5 * np.abs(wanted).max()


@pytest.mark.parametrize(("network", "scale"), [("resnet50", 1.0), ("densenet121", 0.017)])
def test_the_graph_preprocesses_as_microsofts_checkpoints_want_it(
    network: str, scale: float
) -> None:
    import tensorflow as tf

    from tools.export.preprocessing_graph import tensor_of_file

    data = encoded(noise((500, 333)))
    found = tensor_of_file(data, Recipe(network=network, preprocessing="microsoft").input_spec())

    image = tf.cast(tf.io.decode_png(data, 3), tf.float32)[None]
    resized = tf.compat.v1.image.resize_bilinear(image, [256, 384], align_corners=False)
    cut = resized[0, 16 : 16 + 224, 80 : 80 + 224].numpy()
    assert found.numpy() == pytest.approx((cut - [123.68, 116.779, 103.939]) * scale, abs=1e-3)


def test_every_network_is_kerass_and_has_the_features_it_says() -> None:
    """By their weights' shapes only: DenseNet alone takes eight seconds to make."""
    import keras

    for network in NETWORKS.values():
        assert callable(getattr(keras.applications, network.application))
    vgg = Recipe(network="vgg16", weights="none", size=32)
    assert vgg.featuriser(vgg.complete()).output_shape == (None, NETWORKS["vgg16"].width)


def test_a_featuriser_alone_is_served_and_is_no_classifier(
    small: tuple[Any, Any], tmp_path: Path
) -> None:
    from image_classifier.errors import InvalidRequest

    recipe = Recipe(network="resnet50", weights="none", size=SIZE)
    folder = write_featuriser(small[1], recipe, name="means", models_dir=tmp_path)
    classifier, serving = served(folder)
    blue = colour_image("blue", (SIZE, SIZE))

    found = serving.predict(ModelSpec(), {"images": files(blue)}).outputs["features"]
    assert found[0] == pytest.approx(
        (np.array([255, 0, 0]) - [103.939, 116.779, 123.68]) / 16, abs=1e-3
    )
    assert not (folder / "labels.txt").exists()
    with pytest.raises(InvalidRequest, match="is no image classifier"):
        classifier.classify_bytes(blue)


def colours(root: Path, count: int = 6) -> Path:
    """Images of one colour each, two of each of three."""
    folder = root / "images"
    folder.mkdir()
    for index in range(count):
        colour = ("red", "green", "blue")[index % 3]
        (folder / f"{index}.png").write_bytes(colour_image(colour, (60 + index, 50)))
    return folder


def written(small: tuple[Any, Any], root: Path, **more: Any) -> Path:
    recipe = Recipe(network="resnet50", weights="none", size=SIZE)
    labels = ["blue", "green", "red"]  # in the order of the input specification's channels
    return write_classifier(*small, recipe, labels, name="colours", models_dir=root, **more)


def test_a_classifier_is_converted_and_answers_alike(
    small: tuple[Any, Any], tmp_path: Path
) -> None:
    from tools.convert.conversion import convert_folder

    folder = written(small, tmp_path)
    images = colours(tmp_path)
    before = Model("colours", 1, folder).load()
    data = files(
        colour_image("red", (SIZE, SIZE)),
        colour_image("blue", (90, 80), kind="JPEG"),
        encoded(noise((3 * SIZE, SIZE))),
        encoded(noise((SIZE, 2 * SIZE)), "JPEG"),
    )
    _, decoding_inside = served(folder)
    wanted = decoding_inside.predict(ModelSpec(), {"images": data}).outputs["probabilities"]
    convert_folder(folder, image_folder=images)  # refuses more than 0.001

    after = Model("colours", 1, folder).load()
    assert (before.engine_name, after.engine_name) == ("tensorflow", "onnx")
    assert after.engine.input_spec.mean == before.engine.input_spec.mean
    assert after.saved_model is None
    # Whichever of the two answers, callers use the same keys and the same names of tensors.
    assert after.signatures["serving_default"] == before.signatures["serving_default"]
    _, serving = served(folder)
    found = serving.predict(ModelSpec(), {"images": data}).outputs
    assert found["label"].tolist()[:2] == [b"red", b"blue"]
    assert found["probabilities"].shape == (4, 3)
    # The graph decodes and preprocesses inside; for ONNX the app does it, outside.
    assert found["probabilities"] == pytest.approx(wanted, abs=1e-3)
    by_name = serving.predict(ModelSpec(), {"serving_default_images:0": data}).outputs
    assert {each.shape for each in by_name.values()} == {(4,), (4, 3)}


def test_a_quantised_variant_is_kept_if_the_top_tags_agree(
    small: tuple[Any, Any], tmp_path: Path
) -> None:
    from tools.convert.conversion import convert_folder

    images = colours(tmp_path)
    folder = written(
        small,
        tmp_path,
        finish=lambda folder: convert_folder(folder, image_folder=images, int8=True),
    )
    classifier, _ = served(folder)
    prediction = classifier.classify_bytes(colour_image("green"))

    assert (prediction.predicted_tag_name, prediction.engine) == ("green", "onnx")


@pytest.mark.parametrize("quantized", [False, True])
def test_a_damaged_image_is_named_and_left_out(
    small: tuple[Any, Any], tmp_path: Path, quantized: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    images = colours(tmp_path)
    (images / "cut.png").write_bytes((images / "0.png").read_bytes()[:60])
    args = Namespace(images=images, tolerance=TOLERANCE, quantized=quantized)

    folder = write_and_verify(
        Steps(1), lambda **more: written(small, tmp_path, **more), args, images_of(args)
    )
    assert (folder / "model.onnx").is_file() is quantized
    said = "left out" if quantized else "not compared"
    assert f"{said}: {images / 'cut.png'}: The image's PNG data" in capsys.readouterr().out


def test_a_quantised_variant_that_names_other_tags_leaves_nothing_behind(tmp_path: Path) -> None:
    """Two classes are further apart by less than a step of eight bits."""
    from image_classifier.errors import ModelError
    from tools.convert.conversion import convert_folder

    images = colours(tmp_path)
    small = small_network([[1, 1.0005, 0], [0, 0, 1], [0, 0, 0]])

    with pytest.raises(ModelError, match="of the top tags agree; at least 99% are needed"):
        written(
            small,
            tmp_path,
            finish=lambda each: convert_folder(each, image_folder=images, int8=True),
        )
    assert not (tmp_path / "colours").exists()


def test_a_graph_that_is_too_far_from_the_pipeline_leaves_nothing_behind(
    small: tuple[Any, Any], tmp_path: Path
) -> None:
    from tools.shared.errors import ToolError

    with pytest.raises(ToolError, match="differ by"):
        written(small, tmp_path, tolerance=0)
    assert not (tmp_path / "colours").exists()


def test_the_pages_commands_are_those_of_the_program() -> None:
    """Parsed only; what they do is tested here and beside."""
    from tools.zoo.__main__ import _parser

    page = (ROOT / "docs" / "zoo.md").read_text("utf-8")
    blocks = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
    lines = "\n".join(blocks).splitlines()
    given = [shlex.split(line)[3:] for line in lines if line.startswith("python -m tools.zoo")]
    for arguments in given:
        _parser().parse_args(arguments)
    assert {(words[0], words[1]) for words in given} >= {
        ("build", "resnet50"),
        ("build", "ssd_vgg300"),
        ("features", "resnet50"),
        ("head", "pets.npz"),
    }
    for name in [*NETWORKS, "ssd_vgg300", *PREPROCESSING]:
        assert f"| `{name}` |" in page


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--weights", "none", "--size", "31"], "--size must be 32 or more"),
        (["--size", "96"], "weights are for images of 224 pixels"),
        (["--preprocessing", "microsoft"], "Keras's ImageNet weights want Keras's preprocessing"),
        (["--weights", "none", "--classes", "0"], "--classes must be 1 or more"),
        (["--weights", "none", "--classes", "2", "--labels", "LABELS"], "has 3 labels; there are"),
        (["--weights", "none", "--labels", "a.txt"], "must be called labels.txt"),
        (["--weights", "none", "--featuriser", "--quantized"], "which a featuriser has not"),
        (["--weights", "nothing.h5"], "nothing.h5 is no file with weights"),
        (["--weights", "none", "--images", "nowhere"], "nowhere is no folder"),
        (["--weights", "none", "--quantized", "--images", "EMPTY"], "that can be read: name"),
    ],
)
def test_what_does_not_go_together_is_refused_in_words(
    arguments: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("a\nb\nc\n")
    (tmp_path / "empty").mkdir()
    places = {"LABELS": str(labels), "EMPTY": str(tmp_path / "empty")}
    given = [places.get(word, word) for word in arguments]

    assert main(["build", "resnet50", *given, "--models-dir", str(tmp_path / "models")]) == 1
    said = capsys.readouterr()
    assert words in said.err
    assert "[1/" not in said.out or "no file with weights" in words  # before the long work
    assert not (tmp_path / "models").exists()
