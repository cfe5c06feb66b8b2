"""Builds a classifier of the zoo, or its featuriser alone, as a version to serve."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from image_classifier.model_files.input_spec import CHANNELS
from tools.export import export_classifier
from tools.export.classifier import TOLERANCE
from tools.export.saving import kept_variables, save_module
from tools.export.verification import Verification
from tools.shared.version_folder import write_version
from tools.zoo.metadata_files import write_recipe, write_signatures
from tools.zoo.networks import Recipe, fingerprint

__all__ = ["write_classifier", "write_featuriser"]


def write_classifier(
    classifier: Any,
    featuriser: Any,
    recipe: Recipe,
    labels: Sequence[str],
    *,
    name: str,
    models_dir: Path,
    version: int | None = None,
    images: Sequence[Path] = (),
    tolerance: float = TOLERANCE,
    report: Callable[[Verification], None] = lambda verification: None,
    finish: Callable[[Path], None] = lambda folder: None,
    **about: Any,
) -> Path:
    """Writes a classifier that takes ``images``, and verifies it with the app's pipeline.

    Args:
        classifier: Keras model: preprocessed images -> one score for each label.
        featuriser: Keras model with the same weights: preprocessed images -> features.
        recipe: of ``featuriser``.
        labels: in the order of the scores.
        name: of the model.
        models_dir: the folder with all models.
        version: None means the next free number.
        images: images to verify it on, besides generated ones.
        tolerance: the largest difference of probabilities where images are resized.
        report: called with the result of the verification.
        finish: adds files to the version folder before it is visible; if it raises, the folder is
            removed.
        about: further data for ``zoo.json``.

    Returns:
        The version folder.

    Raises:
        ToolError: see ``export_classifier``.
    """

    def add(folder: Path) -> None:
        write_signatures(folder)
        write_recipe(folder, **recipe.as_dict(), features_sha256=fingerprint(featuriser), **about)
        finish(folder)

    return export_classifier(
        classifier,
        labels,
        recipe.input_spec(),
        name=name,
        models_dir=models_dir,
        version=version,
        images=images,
        tolerance=tolerance,
        report=report,
        featuriser=featuriser,
        files_by_default=True,
        finish=add,
    )


def write_featuriser(
    featuriser: Any, recipe: Recipe, *, name: str, models_dir: Path, version: int | None = None
) -> Path:
    """Writes a featuriser, which turns ``images`` into ``features``; see ``write_classifier``.

    It is not a classifier, so it has neither ``labels.txt`` nor ``model.json``.
    """
    import tensorflow as tf

    from tools.export.preprocessing_graph import tensor_of_file

    input_spec = recipe.input_spec()
    shape = [input_spec.height, input_spec.width, CHANNELS[input_spec.channels]]

    class Featuriser(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.kept = kept_variables(featuriser)

        @tf.function(input_signature=[tf.TensorSpec([None, *shape], tf.float32, "input")])  # type: ignore[untyped-decorator]
        def of_tensors(self, input: Any) -> dict[str, Any]:
            return {"features": tf.cast(featuriser(input), tf.float32)}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "images")])  # type: ignore[untyped-decorator]
        def of_files(self, images: Any) -> Any:
            spec = tf.TensorSpec(shape, tf.float32)
            return self.of_tensors(
                tf.map_fn(
                    lambda file: tensor_of_file(file, input_spec), images, fn_output_signature=spec
                )
            )

    def write(folder: Path) -> None:
        module = Featuriser()
        signatures = {"serving_default": module.of_files, "tensors": module.of_tensors}
        save_module(module, signatures, folder)
        write_signatures(folder)
        write_recipe(folder, **recipe.as_dict(), features_sha256=fingerprint(featuriser))

    return write_version(write, name=name, models_dir=models_dir, version=version)
