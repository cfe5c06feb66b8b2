"""Exports an image classifier as a SavedModel with four signatures, and verifies them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from image_classifier.errors import ClassifierError
from image_classifier.model_files.input_spec import CHANNELS, InputSpec
from image_classifier.models.model import Model
from tools.export.saving import save_classifier
from tools.export.verification import Verification, verify
from tools.shared.errors import ToolError
from tools.shared.version_folder import write_version

__all__ = ["TOLERANCE", "export_classifier"]

# The largest difference of probabilities where images are resized: single pixels of Pillow and
# TensorFlow differ by one. Images that need no resizing must agree to EXACT.
TOLERANCE = 0.02
EXACT = 1e-4


def export_classifier(
    model: Any,
    labels: Sequence[str],
    input_spec: InputSpec,
    *,
    name: str,
    models_dir: Path | str = "models",
    version: int | None = None,
    softmax: bool = False,
    images: Sequence[Path] = (),
    tolerance: float = TOLERANCE,
    report: Callable[[Verification], None] = lambda verification: None,
    featuriser: Any = None,
    files_by_default: bool = False,
    finish: Callable[[Path], None] = lambda folder: None,
) -> Path:
    """Writes a model as a SavedModel that takes image files, and verifies it.

    Args:
        model: a Keras model, or a callable that takes a float32 tensor
            [N, height, width, channels] and returns one score for each label, [N, K]. Variables
            are found in a ``tf.Module`` or a Keras model.
        labels: K texts.
        input_spec: the preprocessing that its weights were trained with; see ``preset``.
        name: of the model for callers.
        models_dir: the folder with all models.
        version: None means the next free number.
        softmax: turns the logits of the model into probabilities.
        images: images to verify it on, besides generated ones.
        tolerance: the largest difference of probabilities where images are resized.
        report: called with the result of the verification.
        featuriser: like ``model``, but returns its features [N, D], for a signature ``features``.
        files_by_default: ``serving_default`` takes ``images``, the bytes of image files, and
            returns ``label`` and ``probabilities``, as the models of ``tools.zoo`` do.
        finish: adds files to the version folder, after the verification and before it is visible.

    Returns:
        The version folder.

    Raises:
        ToolError: the model does not fit labels or size, or its signatures and the app's
            pipeline do not agree, or the version exists already, or no server would find that
            name or version; nothing is left behind.
    """
    _check_model(model, labels, input_spec)

    def write(folder: Path) -> None:
        save_classifier(
            model,
            labels,
            input_spec,
            folder,
            softmax=softmax,
            featuriser=featuriser,
            files_by_default=files_by_default,
        )
        verification = _verify(folder, name, images)
        report(verification)
        verification.judge(tolerance=tolerance, exact=EXACT)
        finish(folder)

    return write_version(write, name=name, models_dir=Path(models_dir), version=version)


def _check_model(model: Any, labels: Sequence[str], input_spec: InputSpec) -> None:
    import numpy as np

    lines = [label.strip() for label in labels if len(label.splitlines()) == 1]
    if not all(lines) or lines != list(labels) or len(set(lines)) != len(lines) or not lines:
        raise ToolError(
            "labels must be texts of one line that are not empty, have no spaces around them, and "
            "differ from each other."
        )
    shape = (1, input_spec.height, input_spec.width, CHANNELS[input_spec.channels])
    try:
        scores = np.asarray(model(np.zeros(shape, np.float32)))
    except (ValueError, TypeError) as exc:
        first = str(exc).strip().split("\n", 1)[0]
        raise ToolError(f"The model cannot take an input of shape {list(shape)}: {first}") from exc
    if scores.shape != (1, len(labels)):
        raise ToolError(
            f"The model gives an output of shape {list(scores.shape)} for one image; with "
            f"{len(labels)} labels it must be [1, {len(labels)}]."
        )


def _verify(folder: Path, name: str, images: Sequence[Path]) -> Verification:
    """Loads the written model as the app would, and compares it with the pipeline."""
    try:
        loaded = Model(name, int(folder.name), folder, engine="tensorflow").load()
        return verify(loaded, images)
    except ClassifierError as exc:
        raise ToolError(f"The written version cannot be served: {exc.message}") from exc
