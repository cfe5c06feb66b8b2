"""An image classifier as a SavedModel with four signatures, proved equal to the pipeline."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from image_classifier.contract import CHANNELS, Contract
from image_classifier.errors import ClassifierError
from image_classifier.model import Model
from tools.export.errors import ExportError
from tools.export.proof import Agreement, compare
from tools.version_folder import write_version

__all__ = ["TOLERANCE", "export_classifier"]

# Of probabilities, where pictures are resized: Pillow's and TensorFlow's pixels differ by one
# here and there. Pictures that need no resizing must agree to EXACT.
TOLERANCE = 0.02
EXACT = 1e-4


def export_classifier(
    model: Any,
    labels: Sequence[str],
    contract: Contract,
    *,
    name: str,
    models_dir: Path | str = "models",
    version: int | None = None,
    softmax: bool = False,
    images: Sequence[Path] = (),
    tolerance: float = TOLERANCE,
    report: Callable[[Agreement], None] = lambda agreement: None,
) -> Path:
    """Writes a model as a SavedModel that takes image files, and proves it.

    Args:
        model: a Keras model, or anything that can be called with a float32 tensor
            [N, height, width, channels] and gives one score for each label, [N, K]. Variables are
            found if it is a ``tf.Module`` or a Keras model.
        labels: K texts.
        contract: the preprocessing that its weights were trained with; see ``preset``.
        name: of the model, as callers call it.
        models_dir: the folder with all models.
        version: None means the next free number.
        softmax: the model gives logits: makes probabilities of them.
        images: pictures to prove it on, besides generated ones.
        tolerance: how far probabilities may be apart where pictures are resized.
        report: hears how near they were, and which pictures could not be compared.

    Returns:
        The version folder.

    Raises:
        ExportError: the model does not fit labels or size, or its signatures and the app's
            pipeline do not agree; nothing is left behind then.
        VersionError: that version is there already, or name or version cannot be served.
    """
    _check_model(model, labels, contract)

    def write(folder: Path) -> None:
        _save(model, labels, contract, softmax, folder)
        agreement = _prove(folder, name, images)
        report(agreement)
        agreement.judge(tolerance=tolerance, exact=EXACT)

    return write_version(write, name=name, models_dir=Path(models_dir), version=version)


def _check_model(model: Any, labels: Sequence[str], contract: Contract) -> None:
    import numpy as np

    lines = [label.strip() for label in labels if len(label.splitlines()) == 1]
    if not all(lines) or lines != list(labels) or len(set(lines)) != len(lines) or not lines:
        raise ExportError(
            "labels must be texts of one line that are not empty, have no spaces around them, and "
            "differ from each other."
        )
    shape = (1, contract.height, contract.width, CHANNELS[contract.channels])
    try:
        scores = np.asarray(model(np.zeros(shape, np.float32)))
    except (ValueError, TypeError) as exc:
        first = str(exc).strip().split("\n", 1)[0]
        raise ExportError(
            f"The model cannot take an input of shape {list(shape)}: {first}"
        ) from exc
    if scores.shape != (1, len(labels)):
        raise ExportError(
            f"The model gives an output of shape {list(scores.shape)} for one image; with "
            f"{len(labels)} labels it must be [1, {len(labels)}]."
        )


def _save(
    model: Any, labels: Sequence[str], contract: Contract, softmax: bool, folder: Path
) -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import keras
    import tensorflow as tf

    from tools.export.graph import tensor_of_file

    shape = [contract.height, contract.width, CHANNELS[contract.channels]]
    tensor = tf.TensorSpec([None, *shape], tf.float32, "input")
    texts = tf.TensorSpec([None], tf.string, "image")

    class Classifier(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            if isinstance(model, keras.layers.Layer):
                # Keras keeps TensorFlow's variables inside its own; tracking both would write
                # every weight twice.
                self.kept = [each.value for each in model.variables]
            else:
                self.model = model
            self.labels = tf.constant(list(labels))

        # Traced once for all four signatures: a large network takes seconds each time.
        @tf.function(input_signature=[tensor])  # type: ignore[untyped-decorator]
        def scores(self, batch: Any) -> Any:
            found = tf.cast(model(batch), tf.float32)
            return tf.ensure_shape(tf.nn.softmax(found) if softmax else found, [None, len(labels)])

        @tf.function(input_signature=[texts])  # type: ignore[untyped-decorator]
        def of_files(self, files: Any) -> Any:
            spec = tf.TensorSpec(shape, tf.float32)
            return self.scores(
                tf.map_fn(
                    lambda file: tensor_of_file(file, contract), files, fn_output_signature=spec
                )
            )

        def label(self, scores: Any) -> Any:
            return tf.gather(self.labels, tf.argmax(scores, 1))

    module = Classifier()

    @tf.function(input_signature=[texts])  # type: ignore[untyped-decorator]
    def serving_default(image: Any) -> dict[str, Any]:
        # Of base64's two alphabets TensorFlow reads the web-safe one only.
        safe = tf.strings.regex_replace(tf.strings.regex_replace(image, r"\+", "-"), "/", "_")
        return {"output_0": module.label(module.of_files(tf.io.decode_base64(safe)))}

    @tf.function(input_signature=[texts])  # type: ignore[untyped-decorator]
    def as_bytes(image: Any) -> dict[str, Any]:
        return {"output_0": module.label(module.of_files(image))}

    @tf.function(input_signature=[texts])  # type: ignore[untyped-decorator]
    def probabilities(image: Any) -> dict[str, Any]:
        scores = module.of_files(image)
        return {"label": module.label(scores), "probabilities": scores}

    @tf.function(input_signature=[tensor])  # type: ignore[untyped-decorator]
    def tensors(input: Any) -> dict[str, Any]:
        return {"output": module.scores(input)}

    signatures = {
        "serving_default": serving_default,
        "bytes": as_bytes,
        "probabilities": probabilities,
        "tensors": tensors,
    }
    try:
        tf.saved_model.save(module, str(folder), signatures=signatures)
    except AssertionError as exc:  # TensorFlow's, of a resource that nothing tracks
        raise ExportError(
            "The model uses a table or variable that is not its own, which cannot be saved; "
            f"TensorFlow says: {exc}"
        ) from exc
    (folder / "labels.txt").write_text("".join(f"{label}\n" for label in labels), "utf-8")
    (folder / "model.json").write_text(json.dumps(contract.as_dict(), indent=2) + "\n", "utf-8")


def _prove(folder: Path, name: str, images: Sequence[Path]) -> Agreement:
    """Runs what was written, as the app would load it."""
    try:
        loaded = Model(name, int(folder.name), folder, engine="tensorflow").load()
        return compare(loaded, images)
    except ClassifierError as exc:
        raise ExportError(f"What was written cannot be served: {exc.message}") from exc
