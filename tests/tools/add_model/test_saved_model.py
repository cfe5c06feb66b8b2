"""A SavedModel gets a model.json, by its graph or by its signature."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from image_classifier import Classifier, Settings
from image_classifier.models.model import Model
from tests.support.builders import colour_image
from tests.support.custom_vision_exports import (
    general_graph,
    s1_graph,
)
from tests.tools.add_model.exports import TEXT, add, packed, saved_model, unpacked
from tools.convert.verification import compare, random_tensors


@pytest.mark.parametrize("graph", [general_graph, s1_graph])
def test_a_saved_model_gets_a_model_json_and_answers_like_the_frozen_graph(
    graph: Callable[[], bytes], tmp_path: Path
) -> None:
    files = {**saved_model(graph(), tmp_path / "saved"), "labels.txt": TEXT}
    _, folder = add(packed(tmp_path / "e.zip", files))
    frozen = tmp_path / "frozen"
    unpacked(frozen, {"model.pb": graph(), "labels.txt": TEXT})

    wanted, found = Model("f", 1, frozen).load().engine, Model("m", 1, folder).load().engine
    assert json.loads((folder / "model.json").read_text()) == wanted.input_spec.as_dict()
    agreement = compare(wanted, found, random_tensors(6, wanted.input_spec))
    assert agreement.largest_difference < 1e-6


@pytest.mark.parametrize("output", ["model_outputs", "output_0"])
def test_a_saved_model_of_functions_is_told_by_its_signature(output: str, tmp_path: Path) -> None:
    import tensorflow as tf

    graph = tf.compat.v1.GraphDef.FromString(general_graph(data_bn=False))
    wrapped = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(graph, name=""), [])
    scores = wrapped.prune("Placeholder:0", {output: "loss:0"})
    spec = tf.TensorSpec([None, 224, 224, 3], tf.float32, "Placeholder")
    module = tf.Module()
    module.serve = tf.function(lambda image: scores(image), autograph=False)
    concrete = module.serve.get_concrete_function(spec)
    tf.saved_model.save(module, str(tmp_path / "e"), signatures=concrete)
    (tmp_path / "e" / "labels.txt").write_text(TEXT)
    status, folder = add(tmp_path / "e", "--onnx")

    assert status == 0
    said = json.loads((folder / "model.json").read_text())
    assert (said["input"], said["output"]) == ("Placeholder:0", f"{output}:0")
    assert said["mean"] == [104.0, 117.0, 123.0]
    found = Model("m", 1, folder, engine="tensorflow").load().engine
    (tmp_path / "frozen").mkdir()
    unpacked(tmp_path / "frozen", {"model.pb": graph.SerializeToString(), "labels.txt": TEXT})
    wanted = Model("f", 1, tmp_path / "frozen").load().engine
    assert compare(wanted, found, random_tensors(6, wanted.input_spec)).largest_difference < 1e-6


def test_another_saved_model_wants_a_model_json(
    tmp_path: Path, refused: Callable[..., str]
) -> None:
    import tensorflow as tf

    module = tf.Module()
    spec = tf.TensorSpec([None, 8, 8, 3], tf.float32, "pixels")
    module.serve = tf.function(lambda pixels: tf.reduce_mean(pixels, [1, 2]), [spec])
    tf.saved_model.save(module, str(tmp_path / "s"), signatures=module.serve)
    files = {"saved_model.pb": (tmp_path / "s" / "saved_model.pb").read_bytes()}

    sentence = refused({**files, "labels.txt": TEXT})
    assert "is a SavedModel but not a Custom Vision classifier (its inputs: pixels)" in sentence


def test_a_saved_model_with_variables_is_copied_whole(tmp_path: Path) -> None:
    import tensorflow as tf

    v1, graph = tf.compat.v1, tf.Graph()
    with graph.as_default(), v1.Session() as session:
        pixels = v1.placeholder(tf.float32, [None, 224, 224, 3], name="Placeholder")
        weights = v1.get_variable("weights", initializer=np.eye(3, dtype=np.float32) / 16)
        means = tf.reduce_mean(pixels, axis=[1, 2])
        scores = tf.nn.softmax(tf.matmul(means, weights), name="loss")
        scores = tf.identity(scores, name="model_outputs")
        session.run(v1.global_variables_initializer())
        v1.saved_model.simple_save(session, str(tmp_path / "s"), {"x": pixels}, {"y": scores})
    files = {
        f"export/{path.relative_to(tmp_path / 's').as_posix()}": path.read_bytes()
        for path in (tmp_path / "s").rglob("*")
        if path.is_file()
    }
    export = packed(tmp_path / "e.zip", {**files, "export/labels.txt": TEXT})
    status, folder = add(export)

    assert status == 0
    assert {path.name for path in (folder / "variables").iterdir()} == {
        "variables.index",
        "variables.data-00000-of-00001",
    }
    environ = {"MODELS_DIR": str(folder.parents[1]), "DEFAULT_MODEL": "m"}
    answer = Classifier(Settings.from_environ(environ)).classify_bytes(colour_image("red"))
    assert answer.predicted_tag_name == "Red"
