"""Small real SavedModels that tests serve: built with TensorFlow's own writer, once a process."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

__all__ = ["CLASSIFY", "REGRESS", "half_plus_two", "main_colour", "many_types"]

CLASSIFY, REGRESS = "tensorflow/serving/classify", "tensorflow/serving/regress"


def half_plus_two(folder: Path, *, add: float = 2.0) -> Path:
    """TensorFlow Serving's own test model, built anew: ``y = x / 2 + add``.

    Signatures: ``serving_default`` (x -> y, float [-1,1]), ``regress_x_to_y`` and
    ``classify_x_to_y`` (``inputs``, serialized tf.Examples with a float feature ``x``), and
    ``two_outputs`` (x -> y and label, a text).
    """
    return _copy(_half_plus_two(add), folder)


def many_types(folder: Path) -> Path:
    """Gives back what it gets: a signature for each dtype, ``echo_<dtype>``, and ``two_inputs``."""
    return _copy(_many_types(), folder)


def main_colour(folder: Path) -> Path:
    """As people exported models for the accelerator: files of images in, tensors with names.

    Signatures: ``serving_default`` (``images``, texts, ``Placeholder:0`` -> ``colours``, float
    [-1,3], how much red, green and blue there is, ``classifier/Softmax:0``), and ``two_outputs``
    (``photos`` -> ``colours`` and ``mean``, ``classifier/Mean:0``).
    """
    return _copy(_main_colour(), folder)


def _copy(source: Path, folder: Path) -> Path:
    folder.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(source, folder)
    return folder


@cache
def _half_plus_two(add: float) -> Path:
    import tensorflow as tf

    v1 = tf.compat.v1
    graph = tf.Graph()
    with graph.as_default(), v1.Session(graph=graph) as session:
        examples = v1.placeholder(tf.string, [None], name="tf_example")
        parsed = v1.parse_example(examples, {"x": tf.io.FixedLenFeature([1], tf.float32)})
        from_example = tf.identity(parsed["x"], name="x_of_example")
        x = v1.placeholder(tf.float32, [None, 1], name="x")
        half = v1.get_variable("a", initializer=0.5)
        addend = v1.get_variable("b", initializer=float(add))
        y = tf.add(half * x, addend, name="y")
        of_example = tf.add(half * from_example, addend, name="y_of_example")
        label = tf.strings.as_string(y, precision=1, name="label")
        classes = tf.strings.as_string(of_example, precision=1, name="classes")
        session.run(v1.global_variables_initializer())
        signatures = {
            "serving_default": _signature({"x": x}, {"y": y}),
            "two_outputs": _signature({"x": x}, {"y": y, "label_bytes": label}),
            "regress_x_to_y": _signature({"inputs": examples}, {"outputs": of_example}, REGRESS),
            "classify_x_to_y": _signature(
                {"inputs": examples}, {"scores": of_example, "classes": classes}, CLASSIFY
            ),
            "classify_scores": _signature({"inputs": examples}, {"scores": of_example}),
        }
        return _save(session, signatures)


@cache
def _many_types() -> Path:
    import tensorflow as tf

    v1 = tf.compat.v1
    names = ["float32", "float64", "float16", "int8", "int16", "int32", "int64"]
    names += ["uint8", "uint16", "uint32", "uint64", "bool", "string"]
    graph = tf.Graph()
    with graph.as_default(), v1.Session(graph=graph) as session:
        signatures = {}
        for name in names:
            tensor = v1.placeholder(tf.as_dtype(name), None, name=f"in_{name}")
            echo = tf.identity(tensor, name=f"out_{name}")
            signatures[f"echo_{name}"] = _signature({"value": tensor}, {"value": echo})
        a = v1.placeholder(tf.float32, [None], name="a")
        text = v1.placeholder(tf.string, [None], name="text")
        signatures["two_inputs"] = _signature(
            {"a": a, "text": text},
            {"twice": tf.multiply(a, 2.0, name="twice"), "same": tf.identity(text, name="same")},
        )
        return _save(session, signatures)


@cache
def _main_colour() -> Path:
    import tensorflow as tf

    def mean_of(file: Any) -> Any:
        image = tf.io.decode_image(file, channels=3, expand_animations=False)
        return tf.reduce_mean(tf.cast(image, tf.float32), [0, 1]) / 255.0

    v1 = tf.compat.v1
    graph = tf.Graph()
    with graph.as_default(), v1.Session(graph=graph) as session:
        images = v1.placeholder(tf.string, [None], name="Placeholder")
        means = tf.map_fn(mean_of, images, fn_output_signature=tf.float32)
        mean = tf.ensure_shape(means, [None, 3], name="classifier/Mean")
        colours = tf.nn.softmax(mean, name="classifier/Softmax")
        signatures = {
            "serving_default": _signature({"images": images}, {"colours": colours}),
            "two_outputs": _signature({"photos": images}, {"colours": colours, "mean": mean}),
        }
        return _save(session, signatures)


def _signature(
    inputs: Mapping[str, Any], outputs: Mapping[str, Any], method: str | None = None
) -> Any:
    import tensorflow as tf

    info = tf.compat.v1.saved_model.build_tensor_info
    return tf.compat.v1.saved_model.build_signature_def(
        {key: info(tensor) for key, tensor in inputs.items()},
        {key: info(tensor) for key, tensor in outputs.items()},
        method or "tensorflow/serving/predict",
    )


def _save(session: Any, signatures: Mapping[str, Any]) -> Path:
    import tensorflow as tf

    folder = Path(mkdtemp(prefix="saved-model-")) / "1"
    builder = tf.compat.v1.saved_model.Builder(str(folder))
    builder.add_meta_graph_and_variables(session, ["serve"], signature_def_map=dict(signatures))
    builder.save()
    return folder
