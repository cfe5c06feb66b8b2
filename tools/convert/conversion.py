"""Converts the model of a version folder, verifies the result, and keeps or refuses it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from image_classifier.engines.base import Engine, EngineOptions
from image_classifier.engines.registry import ENGINES
from image_classifier.errors import ModelError
from tools.convert.graphs import FrozenModel, read_model
from tools.convert.verification import compare, image_tensors, random_tensors
from tools.shared.agreement import Agreement
from tools.shared.image_folders import tell_left_out, visible_images_in, without_damaged
from tools.shared.steps import Steps

__all__ = [
    "LARGEST_DIFFERENCE",
    "SAMPLES",
    "STEPS",
    "Converted",
    "choose_images",
    "convert_folder",
    "judge",
]

SAMPLES = Path(__file__).resolve().parents[2] / "frontend" / "samples"
LARGEST_DIFFERENCE = 1e-3
LEAST_AGREEMENT_INT8 = 0.99
RANDOM_INPUTS = 30
CALIBRATION_IMAGES = 200
STEPS = 5  # of a conversion without int8


@dataclass(frozen=True)
class Converted:
    """A finished conversion.

    Attributes:
        target: the ONNX file.
        source: the file that it was converted from.
    """

    target: Path
    source: Path

    def __str__(self) -> str:
        """One line with both sizes; a SavedModel counts with its variables."""
        files = [self.source, *(self.source.parent / "variables").glob("*")]
        before = sum(path.stat().st_size for path in files)
        return f"{self.target}: {self.target.stat().st_size:,} bytes (from {before:,})"


def choose_images(image_folder: Path) -> list[Path]:
    """Lists the images of a folder that can be decoded, and prints those that cannot.

    Raises:
        ModelError: there is no such folder, or no such image in it.
    """
    images, left_out = without_damaged(visible_images_in(image_folder))
    tell_left_out(left_out)
    if not images:
        raise ModelError(
            f"There are no images in {image_folder} that can be read: name a folder with --images."
        )
    return images


def convert_folder(
    folder: Path,
    *,
    image_folder: Path = SAMPLES,
    images: Sequence[Path] | None = None,
    int8: bool = False,
    steps: Steps | None = None,
) -> Converted:
    """Writes ``model.onnx`` beside a TensorFlow model, if both give the same scores.

    Args:
        folder: has model.pb, or a SavedModel with its model.json.
        image_folder: images to compare both on, and to measure the ranges of int8 on.
        images: the result of ``choose_images`` for that folder, if it is known already.
        int8: uses 8-bit weights and activations.
        steps: prints the progress, if the conversion is part of a longer work.

    Raises:
        ClassifierError: the model cannot be converted, or gives other scores; nothing is written.
    """
    images = choose_images(image_folder) if images is None else images
    steps = steps or Steps(STEPS + int8)
    with steps("read the TensorFlow model"):
        model = read_model(folder)
    with steps("convert"):
        from tools.convert import onnx_file

        data = onnx_file.convert(model)
    if int8:
        with steps(f"measure ranges on {min(len(images), CALIBRATION_IMAGES)} images"):
            some = image_tensors(images[:CALIBRATION_IMAGES], model.input_spec)
            data = onnx_file.quantize(data, model, some)
    target = folder / "model.onnx"
    candidate = folder / "model.onnx.new"
    try:
        candidate.write_bytes(data)
        with steps("load both engines"):
            reference = _reference(model)
            other = ENGINES["onnx"].load(candidate, None, EngineOptions())
        with steps(f"prove it on {len(images)} images and {RANDOM_INPUTS} random inputs"):
            on_images = compare(reference, other, image_tensors(images, model.input_spec))
            on_noise = compare(reference, other, random_tensors(RANDOM_INPUTS, model.input_spec))
        judge(on_images, on_noise, int8=int8)
        with steps("keep it"):
            candidate.replace(target)
    finally:
        candidate.unlink(missing_ok=True)
    return Converted(target, model.source)


def _reference(model: FrozenModel) -> Engine:
    from image_classifier.engines.tensorflow import FrozenGraphEngine

    return FrozenGraphEngine(model.source, model.graph_def, model.input_spec, EngineOptions())


def judge(on_images: Agreement, on_noise: Agreement, *, int8: bool) -> None:
    """Prints how far two engines agree, and refuses engines that do not.

    Args:
        on_images: the agreement on real images.
        on_noise: the agreement on random inputs.
        int8: judges the best labels only, as the scores of 8-bit weights differ.

    Raises:
        ModelError: the engines do not agree.
    """
    for what, agreement in (("images", on_images), ("random inputs", on_noise)):
        print(
            f"  {what}: largest difference {agreement.largest_difference:.2e}, top tags agree on "
            f"{agreement.same_top} of {agreement.inputs}"
        )
    if int8:
        if on_images.top_share < LEAST_AGREEMENT_INT8:
            raise ModelError(
                f"with int8 only {on_images.top_share:.1%} of the top tags agree; at least "
                f"{LEAST_AGREEMENT_INT8:.0%} are needed. Convert without --int8, or give more "
                "images of the model's own kind with --images."
            )
        return
    # NumPy's maximum keeps NaN; a difference that is not a number is refused, too.
    largest = float(np.maximum(on_images.largest_difference, on_noise.largest_difference))
    if not largest <= LARGEST_DIFFERENCE:
        raise ModelError(
            f"the ONNX model differs by {largest:.2e}; at most {LARGEST_DIFFERENCE:.0e} is allowed."
        )
