from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from benchmarks.baselines.tutorial import EXIF_ORIENTATION, TutorialTwin, rgb_upright, tensor_of
from benchmarks.data.synthetic_images import encoded, photo
from benchmarks.harness.answer_checks import TENSOR_TOLERANCE, check_same_answer
from image_classifier import Classifier, Settings
from image_classifier.images.decode import decode
from image_classifier.images.preprocess import preprocess
from image_classifier.model_files.input_spec import InputSpec
from tests.support.builders import model_folder

# Enlarged (both ways), kept, made smaller; wide and high; below, at and above 1600, and beyond
# twice that, where the method changes.
SIZES = [(3, 5), (100, 60), (427, 640), (1600, 31), (40, 3300)]


def ours(image: Image.Image, size: int) -> NDArray[np.float32]:
    input_spec = InputSpec(input_name="in:0", output_name="out:0", height=size, width=size)
    return preprocess(image, input_spec)


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_twin_feeds_the_graph_what_we_feed_it(width: int, height: int) -> None:
    image = photo(width, height)

    difference = np.abs(tensor_of(image, 227) - ours(image, 227)).max()

    assert difference <= TENSOR_TOLERANCE


@pytest.mark.parametrize("size", [32, 256])
def test_the_twin_cuts_out_the_size_that_the_graph_wants(size: int) -> None:
    image = photo(300, 200)

    tensor = tensor_of(image, size)

    assert tensor.shape == (size, size, 3)
    assert np.abs(tensor - ours(image, size)).max() <= TENSOR_TOLERANCE


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_twin_turns_images_upright(orientation: int) -> None:
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = orientation
    data = encoded(photo(9, 7), "PNG", exif=exif)
    upright = np.asarray(decode(data, max_pixels=100))

    with Image.open(io.BytesIO(data)) as opened:
        assert np.array_equal(np.asarray(rgb_upright(opened)), upright)


def test_the_twin_answers_as_we_do(tmp_path: Path, colours_pb: bytes) -> None:
    folder = model_folder(tmp_path, "colours", 1, graph=colours_pb)
    environ = {"MODELS_DIR": str(tmp_path), "DEFAULT_MODEL": "colours"}
    classifier = Classifier(Settings.from_environ(environ))
    data = encoded(Image.new("RGB", (50, 40), (30, 200, 60)), "PNG")

    answer = TutorialTwin(folder).predict(data)

    assert answer["predictedTagName"] == "Green"
    assert answer.keys() == {"created", "predictedTagName", "prediction"}
    check_same_answer("twin", answer, classifier.classify_bytes(data).as_dict())
