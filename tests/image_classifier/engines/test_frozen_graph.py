"""Files that are refused as model.pb, with their messages. Every file is a real one of its kind."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from image_classifier.errors import ModelError
from image_classifier.models.model import Model
from tests.support.builders import colour_graph, model_folder


def saved_model(tmp_path: Path) -> bytes:
    import tensorflow as tf

    class Doubler(tf.Module):  # type: ignore[misc]
        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])  # type: ignore[untyped-decorator]
        def __call__(self, x: object) -> object:
            return x * 2  # type: ignore[operator]

    tf.saved_model.save(Doubler(), str(tmp_path / "saved"))
    return (tmp_path / "saved" / "saved_model.pb").read_bytes()


def pytorch_zip(_: Path) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02}q\x00.")
    return stream.getvalue()


def truncated(_: Path) -> bytes:
    return colour_graph()[:-200]


def cut_between_nodes(_: Path) -> bytes:
    from tensorflow.core.framework.graph_pb2 import GraphDef

    graph = GraphDef.FromString(colour_graph())
    del graph.node[1]
    return bytes(graph.SerializeToString())


def unfrozen(_: Path) -> bytes:
    import tensorflow as tf

    graph = tf.Graph()
    with graph.as_default():
        x = tf.compat.v1.placeholder(tf.float32, [None, 8, 8, 3], name="Placeholder")
        weight = tf.compat.v1.get_variable("w", [3, 2])
        tf.nn.softmax(tf.reduce_mean(x, [1, 2]) @ weight, name="loss")
    return bytes(graph.as_graph_def().SerializeToString())


def detection(_: Path) -> bytes:
    return colour_graph(rank=4)


def detection_s1(_: Path) -> bytes:
    import tensorflow as tf

    graph = tf.Graph()
    with graph.as_default():
        x = tf.compat.v1.placeholder(tf.float32, [None, 320, 320, 3], name="image_tensor")
        tf.identity(x, name="detected_boxes")
    return bytes(graph.as_graph_def().SerializeToString())


CASES: dict[str, tuple[Callable[[Path], bytes], str]] = {
    "saved model": (saved_model, "SavedModel"),
    "pytorch": (pytorch_zip, "ZIP archive, such as a PyTorch file"),
    "truncated": (truncated, "damaged|cut short"),
    "a node short": (cut_between_nodes, "damaged or cut short"),
    "unfrozen": (unfrozen, "variables are not frozen"),
    "detection": (detection, "object detection"),
    "detection S1": (detection_s1, "object detection"),
    "other graph": (
        lambda _: colour_graph(input_name="input", output_name="output"),
        r"model\.json",
    ),
    "grey graph": (
        lambda _: colour_graph(input_name="conv2d_1_input", channels=1, data_bn=False),
        r"model\.json",
    ),
    "empty": (lambda _: b"", "it is empty"),
    "text": (lambda _: b"hello world\n" * 50, "not a frozen TensorFlow graph"),
    "html": (lambda _: b"<!DOCTYPE html><p>sign in", "HTML"),
    "git lfs": (
        lambda _: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
        "git lfs pull",
    ),
    "hdf5": (lambda _: b"\x89HDF\r\n\x1a\n" + b"\0" * 99, "Keras HDF5"),
    "pickle": (lambda _: b"\x80\x04\x95" + b"\0" * 99, "pickle"),
}


@pytest.mark.tensorflow
@pytest.mark.parametrize("case", CASES)
def test_what_is_no_frozen_classifier_is_refused_in_one_sentence(case: str, tmp_path: Path) -> None:
    make, words = CASES[case]
    folder = model_folder(tmp_path / "models", graph=make(tmp_path))

    with pytest.raises(ModelError, match=words) as error:
        Model("m", 1, folder).load()
    assert str(folder / "model.pb") in error.value.message
    assert "\n" not in error.value.message


def test_a_graph_without_data_bn_gets_the_mean_subtracted_outside(tmp_path: Path) -> None:
    graph = colour_graph(data_bn=False)
    loaded = Model("m", 1, model_folder(tmp_path, graph=graph)).load()

    assert loaded.engine.input_spec.mean == (104.0, 117.0, 123.0)


def test_loss_is_the_output_where_there_is_no_model_outputs(tmp_path: Path) -> None:
    graph = colour_graph(output_name="another")
    loaded = Model("m", 1, model_folder(tmp_path, graph=graph)).load()

    assert loaded.engine.input_spec.output_name == "loss:0"


def test_the_s1_kind_is_rgb_and_cropped_by_its_shorter_side(tmp_path: Path) -> None:
    graph = colour_graph(input_name="data", output_name="model_output", size=300, data_bn=False)
    input_spec = Model("m", 1, model_folder(tmp_path, graph=graph)).load().engine.input_spec

    assert (input_spec.height, input_spec.channels, input_spec.resize) == (300, "RGB", "crop")
    assert not any(input_spec.mean)


@pytest.mark.tensorflow
def test_the_five_real_exports_load(fixtures: Path) -> None:
    folders = [path for path in (fixtures / "custom_vision").iterdir() if path.is_dir()]
    assert len(folders) == 5
    for folder in folders:
        loaded = Model(folder.name, 1, folder).load()
        input_spec = loaded.engine.input_spec

        assert (input_spec.height, input_spec.width, input_spec.channels) == (227, 227, "BGR")
        assert loaded.engine.predict(np.zeros((2, 227, 227, 3), np.float32)).shape == (
            2,
            len(loaded.labels),
        )


@pytest.mark.parametrize("shape", [[], [None, 227, 227], [None, 1, 227, 227, 3], [None, 0, 9, 3]])
def test_an_input_that_is_no_batch_of_images_is_refused(
    tmp_path: Path, shape: list[int | None]
) -> None:
    import tensorflow as tf

    graph = tf.Graph()
    with graph.as_default():
        image = tf.compat.v1.placeholder(tf.float32, shape, name="Placeholder")
        tf.identity(image, name="loss")
    folder = model_folder(tmp_path, graph=graph.as_graph_def().SerializeToString())

    with pytest.raises(ModelError, match=r"Placeholder:0 has shape \[.*\], not \[\?, height"):
        Model("m", 1, folder).load()
