"""SSD-VGG: its boxes are the published ones, its suppression keeps the right ones, it is served."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from image_classifier import Classifier, Settings
from image_classifier.errors import InvalidRequest
from image_classifier.protocols.tf_serving.service import ModelSpec, TensorFlowServing
from tests.support.builders import noise
from tools.shared.errors import ToolError
from tools.zoo.__main__ import main
from tools.zoo.anchors import LEVELS, anchor_boxes
from tools.zoo.detector import make_detector, write_detector

# Keras's way of reading a variable, which NumPy warns of.
pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]
NARROW = 1 / 16  # of the real network's channels


@pytest.fixture(scope="module")
def narrow() -> Any:
    return make_detector("none", 20, width=NARROW)


@pytest.fixture(scope="module")
def endpoints(
    narrow: Any, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Classifier, TensorFlowServing]:
    root = tmp_path_factory.mktemp("models")
    names = [f"thing {index}" for index in range(20)]
    write_detector(narrow, names, name="ssd", models_dir=root, least_score=0.05, most_overlap=0.45)
    classifier = Classifier(Settings.from_environ({"MODELS_DIR": str(root)}))
    return classifier, TensorFlowServing(classifier)


def encoded(image: Image.Image) -> Any:
    stream = io.BytesIO()
    image.save(stream, "PNG")
    array = np.empty(1, object)
    array[0] = stream.getvalue()
    return array


def prior_boxes() -> list[tuple[float, float, float, float]]:
    """Box by box, as the paper and its first port describe them."""
    cells, steps = (37, 19, 10, 5, 3, 1), (8, 16, 32, 64, 100, 300)
    sizes = (21, 45, 99, 153, 207, 261, 315)
    found = []
    for level in range(6):
        shapes = [(sizes[level],) * 2, (math.sqrt(sizes[level] * sizes[level + 1]),) * 2]
        for ratio in (2, 0.5, 3, 1 / 3)[: 4 if 1 <= level <= 3 else 2]:
            root = math.sqrt(ratio)
            shapes.append((sizes[level] / root, sizes[level] * root))
        for row in range(cells[level]):
            for column in range(cells[level]):
                y, x = ((index + 0.5) * steps[level] / 300 for index in (row, column))
                found += [(y, x, height / 300, width / 300) for height, width in shapes]
    return found


def test_the_prior_boxes_are_the_published_ones() -> None:
    boxes = anchor_boxes()

    assert boxes.shape == (8432, 4)
    assert np.abs(boxes - np.array(prior_boxes())).max() < 1e-6


def test_boxes_are_decoded_around_the_prior_boxes() -> None:
    from tools.zoo.detections import corners

    encoded = np.random.default_rng(0).normal(size=(1, 8432, 4)).astype(np.float32)
    found = corners(encoded).numpy()[0]
    for index in (0, 1, 5, 5000, 7000, 8431):
        (prior_y, prior_x, prior_height, prior_width), each = (
            prior_boxes()[index],
            encoded[0, index].tolist(),
        )
        x, y = prior_x + each[0] * 0.1 * prior_width, prior_y + each[1] * 0.1 * prior_height
        width, height = (
            prior_width * math.exp(0.2 * each[2]),
            prior_height * math.exp(0.2 * each[3]),
        )
        wanted = (y - height / 2, x - width / 2, y + height / 2, x + width / 2)
        assert found[index].tolist() == pytest.approx(wanted, abs=1e-5)


def test_of_boxes_that_overlap_the_best_of_each_class_stays() -> None:
    from tools.zoo.detections import detections

    boxes = [
        (0.1, 0.1, 0.5, 0.5),  # a dog
        (0.12, 0.1, 0.5, 0.5),  # the same dog, less sure
        (0.1, 0.1, 0.5, 0.52),  # a cat in the same place
        (0.6, 0.6, 0.9, 1.2),  # another dog, which reaches past the image
        (0.0, 0.0, 1.0, 1.0),  # nothing
        (0.6, 0.1, 0.9, 0.3),  # perhaps a dog
    ]
    background, cat, dog = 0, 1, 2
    scores = np.zeros((1, 6, 3), np.float32)
    for index, (name, score) in enumerate(
        [(dog, 0.9), (dog, 0.8), (cat, 0.7), (dog, 0.6), (background, 0.99), (dog, 0.4)]
    ):
        scores[0, index, name] = score
    found = detections(np.array([boxes], np.float32), scores, most=5).numpy()

    assert found.shape == (1, 5, 6)
    assert found[0] == pytest.approx(
        np.array(
            [
                (dog, 0.9, 0.1, 0.1, 0.5, 0.5),
                (cat, 0.7, 0.1, 0.1, 0.5, 0.52),
                (dog, 0.6, 0.6, 0.6, 0.9, 1.0),
                (0, 0, 0, 0, 0, 0),
                (0, 0, 0, 0, 0, 0),
            ]
        )
    )


def test_it_gives_its_twelve_tensors_by_their_old_names_and_detections(
    endpoints: tuple[Classifier, TensorFlowServing], narrow: Any
) -> None:
    import keras

    from tools.zoo.detections import corners, detections, flat

    _, serving = endpoints
    image = noise((300, 300))
    found = dict(serving.predict(ModelSpec("ssd"), {"images": encoded(image)}).outputs)
    fed = keras.applications.vgg16.preprocess_input(np.asarray(image, np.float32)[None])
    wanted = narrow(fed)
    seen = found.pop("detections")

    shapes = {name: array.shape for name, array in found.items()}
    assert shapes == {
        f"ssd_300_vgg/{level.block}_box/{operation}:0": (
            1, level.cells, level.cells, level.boxes, numbers
        )
        for level in LEVELS
        for operation, numbers in (("Reshape", 4), ("Reshape_1", 21))
    }  # fmt: skip
    for block, (boxes, classes) in wanted.items():
        where = f"ssd_300_vgg/{block}_box"
        assert found[f"{where}/Reshape:0"] == pytest.approx(boxes.numpy(), abs=1e-3)
        assert found[f"{where}/Reshape_1:0"] == pytest.approx(classes.numpy(), abs=1e-3)
    boxes, logits = flat(wanted)
    scores = keras.ops.softmax(logits)
    assert seen == pytest.approx(
        detections(corners(boxes), scores, least_score=0.05).numpy(), abs=1e-3
    )
    assert (seen[0, :, 1] > 0).any()


def test_one_output_can_be_asked_for_as_the_old_clients_do(
    endpoints: tuple[Classifier, TensorFlowServing],
) -> None:
    _, serving = endpoints
    wanted = "ssd_300_vgg/block11_box/Reshape:0"
    found = serving.predict(ModelSpec("ssd"), {"images": encoded(noise((40, 90)))}, [wanted])

    assert {key: array.shape for key, array in found.outputs.items()} == {wanted: (1, 1, 1, 4, 4)}


def test_the_endpoint_for_classifiers_refuses_it_in_words(
    endpoints: tuple[Classifier, TensorFlowServing],
) -> None:
    classifier, _ = endpoints
    with pytest.raises(InvalidRequest, match="is no image classifier that the app can feed"):
        classifier.classify_bytes(encoded(noise((40, 90)))[0], model="ssd")


def test_microsofts_preprocessing_resizes_as_tensorflow_1_did() -> None:
    import tensorflow as tf

    from tools.zoo.detector import _tensor_of_file

    data = encoded(noise((410, 220)))[0]
    image = tf.cast(tf.io.decode_png(data, 3), tf.float32)[None]
    resized = tf.compat.v1.image.resize_bilinear(image, [300, 300], align_corners=False)[0].numpy()
    found = _tensor_of_file(data, "microsoft").numpy()

    assert found == pytest.approx(resized - [123.68, 116.779, 103.939], abs=1e-3)


def test_its_backbone_is_vgg16(tmp_path: Path) -> None:
    """The whole width, with weights from a file as Keras writes them."""
    import h5py
    import keras
    from keras.src.legacy.saving import legacy_h5_format

    vgg = keras.applications.VGG16(weights=None, include_top=False)
    with h5py.File(tmp_path / "vgg16.h5", "w") as file:
        # The layout of the files that Keras hands out; it has no endpoint any more to write it.
        legacy_h5_format.save_weights_to_hdf5_group(file, vgg)
    detector = make_detector(str(tmp_path / "vgg16.h5"), 3)
    last = "block4_conv3"
    ours, theirs = (
        keras.Model(each.inputs[0], each.get_layer(last).output)(np.ones((1, 300, 300, 3)))
        for each in (detector, vgg)
    )

    assert np.array_equal(ours, theirs)


def test_the_first_map_is_normalised_to_the_papers_scale(narrow: Any) -> None:
    import keras

    image = np.asarray(noise((300, 300)), np.float32)[None]
    features = keras.Model(narrow.inputs[0], narrow.get_layer("block4_norm").output)(image)

    lengths = np.linalg.norm(features, axis=-1)
    assert lengths[lengths > 1] == pytest.approx(20, abs=1e-3)
    assert (lengths > 1).mean() > 0.9


def test_a_file_with_the_whole_detectors_weights_is_taken(narrow: Any, tmp_path: Path) -> None:
    narrow.save_weights(tmp_path / "ssd.weights.h5")
    again = make_detector(str(tmp_path / "ssd.weights.h5"), 20, seed=2, width=NARROW)

    assert all(
        np.array_equal(a, b) for a, b in zip(again.get_weights(), narrow.get_weights(), strict=True)
    )
    with pytest.raises(ToolError, match="does not fit this network"):
        make_detector(str(tmp_path / "ssd.weights.h5"), 3, width=NARROW)
    with pytest.raises(ToolError, match="is no file with weights"):
        make_detector("no.weights.h5", 3, width=NARROW)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--quantized"], "ssd_vgg300 is a detector: leave --quantized away"),
        (["--featuriser"], "ssd_vgg300 is a detector: leave --featuriser away"),
        (["--size", "64"], "takes images of 300 pixels"),
        (["--weights", "imagenet", "--preprocessing", "microsoft"], "want Keras's preprocessing"),
        (["--least-score", "1.5"], "must be between 0 and 1"),
    ],
)
def test_what_a_detector_has_not_is_refused_in_words(
    arguments: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = ["--models-dir", str(tmp_path / "models"), "--weights", "none"]

    assert main(["build", "ssd_vgg300", *models, *arguments]) == 1
    assert words in capsys.readouterr().err
    assert not (tmp_path / "models").exists()
