"""An image classifier as a SavedModel with four signatures, proved equal to the pipeline."""

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

# Of probabilities, where images are resized: Pillow's and TensorFlow's pixels differ by one
# here and there. Images that need no resizing must agree to EXACT.
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
    """Writes a model as a SavedModel that takes image files, and proves it.

    Args:
        model: a Keras model, or anything that can be called with a float32 tensor
            [N, height, width, channels] and gives one score for each label, [N, K]. Variables are
            found if it is a ``tf.Module`` or a Keras model.
        labels: K texts.
        input_spec: the preprocessing that its weights were trained with; see ``preset``.
        name: of the model, as callers call it.
        models_dir: the folder with all models.
        version: None means the next free number.
        softmax: the model gives logits: makes probabilities of them.
        images: images to prove it on, besides generated ones.
        tolerance: how far probabilities may be apart where images are resized.
        report: hears how near they were, and which images could not be compared.
        featuriser: like ``model``, but gives its features [N, D]: there is a signature
            ``features`` then.
        files_by_default: ``serving_default`` takes ``images``, the bytes of image files, and gives
            ``label`` and ``probabilities``, as the models of ``tools.zoo`` do.
        finish: adds to the version folder, after the proof and before anybody sees it.

    Returns:
        The version folder.

    Raises:
        ToolError: the model does not fit labels or size, or its signatures and the app's
            pipeline do not agree; nothing is left behind then.
        ToolError: that version is there already, or name or version cannot be served.
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
    """Runs what was written, as the app would load it."""
    try:
        loaded = Model(name, int(folder.name), folder, engine="tensorflow").load()
        return verify(loaded, images)
    except ClassifierError as exc:
        raise ToolError(f"What was written cannot be served: {exc.message}") from exc
