"""Implements transfer learning: the verbs ``features`` and ``head``."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import Any

from tools.shared.errors import ToolError
from tools.shared.steps import Steps
from tools.zoo.build import write_classifier
from tools.zoo.commands import images_of, recipe_of, show, write_and_verify
from tools.zoo.features import Features, check_place, extract, read_features
from tools.zoo.head import Trained, accuracy, train_head
from tools.zoo.networks import Recipe, fingerprint, with_head

__all__ = ["features", "head"]


def features(args: argparse.Namespace) -> None:
    """Writes the features of a folder of images."""
    if not args.folder.is_dir():
        raise ToolError(f"{args.folder} is no folder.")
    recipe = recipe_of(args)
    check_place(args.output)
    with Steps(1)(f"make {recipe.network}, weights: {recipe.weights}"):
        featuriser = recipe.featuriser(recipe.complete())
    extracted, bad = extract(featuriser, recipe, args.folder)
    for name, reason in bad.items():
        print(f"  left out: {name}: {reason}")
    extracted.save(args.output)
    count, width = extracted.values.shape
    labels = sorted(set(extracted.labels) - {""})
    print(f"  {args.output}: {width} features of each of {count} images, {len(labels)} labels")


def head(args: argparse.Namespace) -> None:
    """Trains a classifier on features, and writes both as one model."""
    training = read_features(args.features)
    others = read_features(args.test) if args.test else None
    if others and others.sha256 != training.sha256:
        raise ToolError(f"{args.test} has features of other weights than {args.features}.")
    if not 0 < args.held_out < 1:
        raise ToolError("--held-out must be between 0 and 1.")
    if args.hidden < 0 or args.rounds < 1:
        raise ToolError("--hidden must be 0 or more, --rounds 1 or more.")
    images = images_of(args)
    steps = Steps(3)
    with steps(f"train on {len(training.files)} images"):
        trained = train_head(
            training, hidden=args.hidden, share=args.held_out, seed=args.seed, rounds=args.rounds
        )
    report = {"held_out": str(trained.held_out)}
    _tell(trained)
    if others:
        report["test"] = str(accuracy(trained, others))
        print(f"  {args.test}: {report['test']}")
    recipe = replace(training.recipe, weights=args.weights or training.recipe.weights)
    with steps(f"make {recipe.network}, weights: {recipe.weights}"):
        featuriser = _same_featuriser(recipe, training)
    joined = with_head(featuriser, trained.head)
    folder = write_and_verify(
        steps,
        lambda **more: write_classifier(
            joined,
            featuriser,
            recipe,
            trained.labels,
            name=args.name,
            models_dir=args.models_dir,
            version=args.version,
            head={"hidden": args.hidden, "seed": args.seed, "accuracy": report},
            **more,
        ),
        args,
        images,
    )
    show(folder, args.name)


def _same_featuriser(recipe: Recipe, features: Features) -> Any:
    featuriser = recipe.featuriser(recipe.complete())
    if fingerprint(featuriser) != features.sha256:
        raise ToolError(
            "These weights are not those that the features were made with: name the same file "
            "with --weights, or make the features again."
        )
    return featuriser


def _tell(trained: Trained) -> None:
    held_out = trained.held_out
    print(f"  learned from {trained.learned_from} images, best after {trained.rounds} rounds")
    print(
        f"  on those held out: {held_out}; always naming the most frequent label: "
        f"{held_out.of_most_frequent:.1%}"
    )
    for label in trained.labels:
        print(f"    {label}: {held_out.right[label]} of {held_out.images[label]}")
    print(
        "  They also said when to stop, which flatters a little: measure on images that had no "
        "part in it with --test FILE.npz."
    )
