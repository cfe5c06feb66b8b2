"""tools.convert: what it keeps answers like TensorFlow, what does not is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from image_classifier.errors import ModelError
from image_classifier.model_files.input_spec import InputSpec
from image_classifier.models.model import Model
from tests.support.builders import colour_graph, colour_image, model_folder, noise
from tools.convert import __main__ as command
from tools.convert.conversion import LARGEST_DIFFERENCE, judge
from tools.convert.graphs import FrozenModel
from tools.convert.verification import compare, image_tensors, random_tensors

pytestmark = pytest.mark.tensorflow

CONTRACT = InputSpec(input_name="x", output_name="y", height=8, width=8)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    for colour in ("red", "green", "blue"):
        (folder / f"{colour}.png").write_bytes(colour_image(colour))
    return folder


class Fixed:
    """An engine with a fixed answer."""

    input_spec = CONTRACT

    def __init__(self, *scores: float) -> None:
        self._scores = np.array([scores], np.float32)

    def predict(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        return self._scores


def test_a_converted_model_answers_alike_and_says_how_it_is_fed(
    tmp_path: Path, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = model_folder(tmp_path / "models", graph=colour_graph(data_bn=False))
    before = Model("m", 1, folder).load()

    assert command.main([str(folder), "--images", str(images)]) == 0
    after = Model("m", 1, folder).load()
    assert (before.engine_name, after.engine_name) == ("tensorflow", "onnx")
    assert after.engine.input_spec == before.engine.input_spec
    assert after.engine.input_spec.mean == (104.0, 117.0, 123.0)
    agreement = compare(before.engine, after.engine, random_tensors(6, before.engine.input_spec))
    assert agreement.largest_difference < 1e-5
    out = capsys.readouterr().out
    assert "[5/5] keep it" in out
    assert "top tags agree on 3 of 3" in out


def test_int8_is_kept_when_the_top_tags_agree(tmp_path: Path, images: Path) -> None:
    folder = model_folder(tmp_path / "models", graph=colour_graph())

    assert command.main([str(folder), "--int8", "--images", str(images)]) == 0
    assert Model("m", 1, folder).load().engine_name == "onnx"


def test_a_conversion_that_differs_is_refused_and_leaves_nothing(
    tmp_path: Path,
    images: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from tools.convert import onnx_file

    folder = model_folder(tmp_path / "models", graph=colour_graph())
    right = onnx_file.convert

    def wrong(model: FrozenModel) -> bytes:
        # A real conversion, of another graph: green and red change places.
        from tensorflow.core.framework.graph_pb2 import GraphDef

        swapped = GraphDef.FromString(colour_graph(swap=True))
        return right(replace(model, graph_def=swapped))

    monkeypatch.setattr(onnx_file, "convert", wrong)

    assert command.main([str(folder), "--images", str(images)]) == 1
    assert "refused: the ONNX model differs by" in capsys.readouterr().err
    assert sorted(path.name for path in folder.iterdir()) == ["labels.txt", "model.pb"]


def test_a_saved_model_is_converted_by_its_model_json(tmp_path: Path, images: Path) -> None:
    import tensorflow as tf

    class Means(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            self.scale = tf.Variable(1 / 16)

        @tf.function(input_signature=[tf.TensorSpec([None, 16, 16, 3], tf.float32, name="image")])  # type: ignore[untyped-decorator]
        def __call__(self, image: object) -> dict[str, object]:
            return {"scores": tf.nn.softmax(tf.reduce_mean(image, [1, 2]) * self.scale)}

    input_spec = {"input": "image", "output": "scores", "size": 16, "channels": "BGR"}
    folder = model_folder(tmp_path / "models", input_spec=input_spec)
    module = Means()
    tf.saved_model.save(module, str(folder), signatures=module.__call__)

    assert command.main([str(folder), "--images", str(images)]) == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "nothing to convert"),
        ({"graph": b"no graph"}, "not a frozen TensorFlow graph"),
    ],
)
def test_what_cannot_be_read_is_refused_in_words(
    tmp_path: Path,
    images: Path,
    options: dict[str, bytes],
    words: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = model_folder(tmp_path / "models", **options)  # type: ignore[arg-type]

    assert command.main([str(folder), "--images", str(images)]) == 1
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("options", [[], ["--int8"]])
def test_a_damaged_image_is_named_and_left_out(
    tmp_path: Path, images: Path, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = model_folder(tmp_path / "models", graph=colour_graph())
    noise((90, 80)).save(images / "cut.jpg")
    (images / "cut.jpg").write_bytes((images / "cut.jpg").read_bytes()[:2000])

    assert command.main([str(folder), *options, "--images", str(images)]) == 0
    out = capsys.readouterr().out
    assert f"left out: {images / 'cut.jpg'}: The image's JPEG data cannot be decoded" in out
    assert "prove it on 3 images" in out


def test_without_an_image_that_can_be_read_nothing_is_begun(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = model_folder(tmp_path / "models", graph=colour_graph())
    (tmp_path / "cut.png").write_bytes(colour_image()[:50])

    for images, words in ((tmp_path, "that can be read: name"), ("nowhere", "is no folder")):
        assert command.main([str(folder), "--images", str(images)]) == 1
        said = capsys.readouterr()
        assert words in said.err and "[1/" not in said.out


def test_one_bad_folder_does_not_stop_the_others(tmp_path: Path, images: Path) -> None:
    bad = model_folder(tmp_path / "models", "bad")
    good = model_folder(tmp_path / "models", "good", graph=colour_graph())

    assert command.main([str(bad), str(good), "--images", str(images)]) == 1
    assert (good / "model.onnx").is_file()


def test_a_difference_that_is_not_a_number_counts_as_one() -> None:
    agreement = compare(Fixed(0.5, 0.5), Fixed(float("nan"), 1), random_tensors(3, CONTRACT))

    assert not agreement.largest_difference <= LARGEST_DIFFERENCE


@pytest.mark.parametrize("where", ["images", "noise"])
def test_a_difference_that_is_not_a_number_is_refused_wherever_it_is(where: str) -> None:
    fine = compare(Fixed(0.5, 0.5), Fixed(0.5, 0.5), random_tensors(3, CONTRACT))
    broken = compare(Fixed(0.5, 0.5), Fixed(float("nan"), 1), random_tensors(3, CONTRACT))

    judge(fine, fine, int8=False)
    with pytest.raises(ModelError, match="differs by nan"):
        judge(*((broken, fine) if where == "images" else (fine, broken)), int8=False)


def test_agreement_counts_top_tags_and_the_largest_difference() -> None:
    agreement = compare(Fixed(0.75, 0.25), Fixed(0.25, 0.75), random_tensors(3, CONTRACT))

    assert (agreement.inputs, agreement.same_top, agreement.largest_difference) == (3, 0, 0.5)
    assert agreement.top_share == 0.0


def test_random_inputs_stay_within_what_images_can_be() -> None:
    input_spec = InputSpec(
        input_name="x", output_name="y", height=9, width=7, mean=(127.5,) * 3, scale=1 / 127.5
    )
    tensors = list(random_tensors(6, input_spec))

    assert all(tensor.shape == (9, 7, 3) for tensor in tensors)
    assert all(np.abs(tensor).max() <= 1.0 for tensor in tensors)
    assert len({tensor.tobytes() for tensor in tensors}) == 6


def test_images_go_through_the_real_preprocessing(tmp_path: Path) -> None:
    noise((30, 20)).save(tmp_path / "a.png")
    (tensor,) = image_tensors([tmp_path / "a.png"], CONTRACT)

    assert tensor.shape == (8, 8, 3)
