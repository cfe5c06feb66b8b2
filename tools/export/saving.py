"""Writes a classifier as a SavedModel with its signatures, and the files beside it."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from image_classifier.model_files.input_spec import CHANNELS, InputSpec
from tools.shared.errors import ToolError

__all__ = ["kept_variables", "save_classifier", "save_module"]


def save_classifier(
    model: Any,
    labels: Sequence[str],
    input_spec: InputSpec,
    folder: Path,
    *,
    softmax: bool = False,
    featuriser: Any = None,
    files_by_default: bool = False,
) -> None:
    """Writes ``saved_model.pb``, the variables, ``labels.txt`` and ``model.json``.

    Args: as of ``export_classifier``.

    Raises:
        ToolError: the model uses a resource that cannot be saved with it.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import tensorflow as tf

    from tools.export.preprocessing_graph import tensor_of_file

    shape = [input_spec.height, input_spec.width, CHANNELS[input_spec.channels]]
    tensor = tf.TensorSpec([None, *shape], tf.float32, "input")
    texts = tf.TensorSpec([None], tf.string, "image")
    files = tf.TensorSpec([None], tf.string, "images")

    class Classifier(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.kept = [kept_variables(each) for each in (model, featuriser) if each is not None]
            self.labels = tf.constant(list(labels))

        # Traced once for all signatures: a large network takes seconds each time.
        @tf.function(input_signature=[tensor])  # type: ignore[untyped-decorator]
        def scores(self, batch: Any) -> Any:
            raw = tf.cast(model(batch), tf.float32)
            return tf.ensure_shape(tf.nn.softmax(raw) if softmax else raw, [None, len(labels)])

        @tf.function(input_signature=[texts])  # type: ignore[untyped-decorator]
        def tensors_of(self, files: Any) -> Any:
            spec = tf.TensorSpec(shape, tf.float32)
            return tf.map_fn(
                lambda file: tensor_of_file(file, input_spec), files, fn_output_signature=spec
            )

        def of_files(self, files: Any) -> Any:
            return self.scores(self.tensors_of(files))

        def label(self, scores: Any) -> Any:
            return tf.gather(self.labels, tf.argmax(scores, 1))

        def labelled(self, files: Any) -> dict[str, Any]:
            scores = self.of_files(files)
            return {"label": self.label(scores), "probabilities": scores}

    module = Classifier()

    @tf.function(input_signature=[texts])  # type: ignore[untyped-decorator]
    def as_base64(image: Any) -> dict[str, Any]:
        # TensorFlow reads only the web-safe alphabet of base64.
        safe = tf.strings.regex_replace(tf.strings.regex_replace(image, r"\+", "-"), "/", "_")
        return {"output_0": module.label(module.of_files(tf.io.decode_base64(safe)))}

    @tf.function(input_signature=[texts])  # type: ignore[untyped-decorator]
    def as_bytes(image: Any) -> dict[str, Any]:
        return {"output_0": module.label(module.of_files(image))}

    @tf.function(input_signature=[texts])  # type: ignore[untyped-decorator]
    def probabilities(image: Any) -> dict[str, Any]:
        return module.labelled(image)

    @tf.function(input_signature=[files])  # type: ignore[untyped-decorator]
    def as_files(images: Any) -> dict[str, Any]:
        return module.labelled(images)

    @tf.function(input_signature=[tensor])  # type: ignore[untyped-decorator]
    def tensors(input: Any) -> dict[str, Any]:
        return {"output": module.scores(input)}

    @tf.function(input_signature=[files])  # type: ignore[untyped-decorator]
    def features(images: Any) -> dict[str, Any]:
        return {"features": tf.cast(featuriser(module.tensors_of(images)), tf.float32)}

    signatures = {
        "serving_default": as_files if files_by_default else as_base64,
        "bytes": as_bytes,
        "probabilities": probabilities,
        "tensors": tensors,
    }
    if featuriser is not None:
        signatures["features"] = features
    save_module(module, signatures, folder)
    (folder / "labels.txt").write_text("".join(f"{label}\n" for label in labels), "utf-8")
    (folder / "model.json").write_text(json.dumps(input_spec.as_dict(), indent=2) + "\n", "utf-8")


def kept_variables(model: Any) -> Any:
    """Returns the object that a module must hold, so that each variable is saved once."""
    import keras

    if isinstance(model, keras.layers.Layer):
        # Keras wraps TensorFlow's variables in its own; tracking both would write each weight
        # twice.
        return [each.value for each in model.variables]
    return model


def save_module(module: Any, signatures: dict[str, Any], folder: Path) -> None:
    """Writes the SavedModel without other files.

    Raises:
        ToolError: the model uses a resource that no object tracks.
    """
    import tensorflow as tf

    try:
        tf.saved_model.save(module, str(folder), signatures=signatures)
    except AssertionError as exc:  # of TensorFlow, about a resource that no object tracks
        raise ToolError(
            "The model uses a table or variable that is not its own, which cannot be saved; "
            f"TensorFlow says: {exc}"
        ) from exc
