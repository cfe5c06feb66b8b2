"""Implements the verb ``build``, and the steps that it shares with ``head``."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from image_classifier.model_files.labels import read_labels
from tools.convert.conversion import choose_images, convert_folder
from tools.export.verification import Verification
from tools.shared.errors import ToolError
from tools.shared.image_folders import visible_images_in
from tools.shared.steps import Steps
from tools.zoo.anchors import SIDE
from tools.zoo.build import write_classifier, write_featuriser
from tools.zoo.detector import COMPLETE, DETECTOR, VOC_CLASSES, make_detector, write_detector
from tools.zoo.imagenet import CLASSES, imagenet_labels, numbered
from tools.zoo.networks import SIZE, SMALLEST, Recipe, with_head

__all__ = ["build"]

# Options that a detector does not have.
_CLASSIFIERS_ONLY = ("featuriser", "quantized")


def build(args: argparse.Namespace) -> None:
    """Writes a network as a classifier, as a featuriser, or as a detector."""
    if args.network == DETECTOR:
        _build_detector(args)
        return
    recipe = recipe_of(args)
    labels = None if args.featuriser else labels_of(args)
    if args.featuriser and args.quantized:
        raise ToolError("--quantized is judged by the top tags, which a featuriser has not.")
    images = [] if args.featuriser else images_of(args)
    steps = Steps(2)
    with steps(f"make {recipe.network}, weights: {recipe.weights}"):
        network = recipe.complete()
        featuriser = recipe.featuriser(network)
        classifier = network if args.classes is None else _new_head(featuriser, args.classes)
    name = args.name or recipe.network
    target = {"name": name, "models_dir": args.models_dir, "version": args.version}
    if labels is None:
        with steps("write it"):
            folder = write_featuriser(featuriser, recipe, **target)
    else:
        folder = write_and_verify(
            steps,
            lambda **more: write_classifier(
                classifier, featuriser, recipe, labels, **target, **more
            ),
            args,
            images,
        )
    if args.classes is not None and not args.featuriser:
        print("  The new head is not trained: its answers mean nothing yet (see tools.zoo head).")
    show(folder, name)


def recipe_of(args: argparse.Namespace) -> Recipe:
    """Makes the recipe of a network from the options.

    Raises:
        ToolError: the options contradict each other.
    """
    if args.size < SMALLEST:
        raise ToolError(f"--size must be {SMALLEST} or more pixels.")
    if args.size != SIZE and args.weights != "none":
        raise ToolError(f"These weights are for images of {SIZE} pixels: leave --size away.")
    _check_preprocessing(args)
    return Recipe(
        network=args.network,
        weights=args.weights,
        preprocessing=args.preprocessing,
        size=args.size,
        seed=args.seed,
    )


def _check_preprocessing(args: argparse.Namespace) -> None:
    if args.preprocessing == "microsoft" and args.weights == "imagenet":
        raise ToolError(
            "Keras's ImageNet weights want Keras's preprocessing; --preprocessing microsoft is for "
            "weights that were trained with it: name them with --weights FILE."
        )


def labels_of(args: argparse.Namespace) -> list[str]:
    """Returns the names of the classes.

    Raises:
        ToolError: the number of names is not that of the classes.
    """
    count = CLASSES if args.classes is None else args.classes
    if args.labels or count < 1:
        return _named(args.labels, count)
    if args.classes is None and args.weights != "none":
        return imagenet_labels(lambda words: print(f"  {words}"))
    return numbered(count)


def _named(path: Path | None, count: int) -> list[str]:
    if count < 1:
        raise ToolError("--classes must be 1 or more.")
    if path is None:
        return numbered(count)
    if path.name != "labels.txt":
        raise ToolError(f"{path}: the file with the labels must be called labels.txt.")
    labels = list(read_labels(path.parent))
    if len(labels) != count:
        raise ToolError(f"{path} has {len(labels)} labels; there are {count} classes.")
    return labels


def _build_detector(args: argparse.Namespace) -> None:
    if given := [f"--{name}" for name in _CLASSIFIERS_ONLY if getattr(args, name)]:
        raise ToolError(f"{DETECTOR} is a detector: leave {given[0]} away.")
    if args.size not in (SIZE, SIDE):
        raise ToolError(f"{DETECTOR} takes images of {SIDE} pixels: leave --size away.")
    if not 0 < args.least_score < 1 or not 0 < args.most_overlap < 1:
        raise ToolError("--least-score and --most-overlap must be between 0 and 1.")
    _check_preprocessing(args)
    count = len(VOC_CLASSES) if args.classes is None else args.classes
    is_vocs = args.classes is None and args.labels is None
    names = list(VOC_CLASSES) if is_vocs else _named(args.labels, count)
    name = args.name or args.network
    steps = Steps(2)
    with steps(f"make {args.network}, weights: {args.weights}"):
        detector = make_detector(args.weights, count, seed=args.seed)
    with steps("write it"):
        folder = write_detector(
            detector,
            names,
            name=name,
            models_dir=args.models_dir,
            version=args.version,
            preprocessing=args.preprocessing,
            least_score=args.least_score,
            most_overlap=args.most_overlap,
            weights=args.weights,
            seed=args.seed,
        )
    if not args.weights.endswith(COMPLETE):
        print("  The heads are not trained: its detections mean nothing yet.")
    show(folder, name)


def images_of(args: argparse.Namespace) -> list[Path]:
    """Lists the images to verify a classifier on, before the long work.

    Raises:
        ModelError: there is no such folder, or no image in it to measure ranges on.
    """
    # The verification leaves out images that cannot be decoded.
    return choose_images(args.images) if args.quantized else visible_images_in(args.images)


def write_and_verify(
    steps: Steps, write: Callable[..., Path], args: argparse.Namespace, images: Sequence[Path]
) -> Path:
    """Writes and verifies a classifier, and quantises it on request.

    Args:
        steps: has one step left, for writing.
        write: ``write_classifier`` with all but its options for the verification.
        args: ``tolerance`` and ``quantized``.
        images: from ``images_of``.
    """
    verifications: list[Verification] = []

    with contextlib.ExitStack() as step:

        def quantise(folder: Path) -> None:
            if args.quantized:
                step.close()  # conversion shows steps of its own
                print(f"{folder.parents[1] / folder.name}")  # it is in a temporary folder
                print(f"  {convert_folder(folder, images=images, int8=True)}")

        step.enter_context(steps("write it, load it back, compare it with the app's pipeline"))
        folder = write(
            images=images,
            tolerance=args.tolerance,
            report=verifications.append,
            finish=quantise,
        )
    for verification in verifications:
        for path, reason in verification.left_out.items():
            print(f"  not compared: {path}: {reason}")
        print(f"  {verification}")
    return folder


def show(folder: Path, name: str) -> None:
    """Prints the folder of the new version and the command to serve it."""
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(f"  {folder}: {size / 1e6:.0f} MB")
    print(
        f"Serve it: python -m model_server --port 8500 --model_name {name} "
        f"--model_base_path {folder.parent}"
    )


def _new_head(featuriser: Any, classes: int) -> Any:
    import keras

    head = keras.layers.Dense(classes, activation="softmax", name="predictions")
    return with_head(featuriser, head)
