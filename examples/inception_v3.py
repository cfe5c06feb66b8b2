"""Serves Keras's InceptionV3: a JPEG in, a label out, all preprocessing inside the graph."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# So that `python examples/inception_v3.py` works as well.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from examples.common import parser, seeded, show_how_to_serve
from tools.export import export_classifier, preset
from tools.shared.errors import ToolError
from tools.zoo.imagenet import CLASSES, imagenet_labels, numbered, with_weights

SIZE = 299
SMALLEST = 75  # pixels: the least that the network can take


def main(argv: Sequence[str] | None = None) -> Path:
    """Builds and exports; returns the version folder."""
    quick = f"the same as --weights none --size {SMALLEST}: a small network with random weights"
    options = parser("inception_v3", __doc__ or "", epochs=None, quick=quick)
    options.add_argument(
        "--weights",
        default="imagenet",
        help="imagenet: downloaded, 92 MB; none: random, to try the way; or a file with weights "
        "(default: imagenet)",
    )
    options.add_argument(
        "--size", type=int, default=SIZE, help=f"pixels, {SMALLEST} or more (default: {SIZE})"
    )
    options.add_argument("--classes", type=int, default=1000, help="without ImageNet's weights")
    args = options.parse_args(argv)
    if args.quick:
        args.weights, args.size = "none", SMALLEST
    if args.size < SMALLEST:
        options.error(f"--size must be {SMALLEST} or more")
    if args.weights == "imagenet":
        if args.size != SIZE:
            options.error(f"the ImageNet weights are for --size {SIZE}")
        args.classes = CLASSES
    seeded(args.seed)
    model = network(args.weights, args.size, args.classes)
    labels = imagenet_labels() if args.weights == "imagenet" else numbered(args.classes)
    folder = export_classifier(
        model,
        labels,
        preset("tf", size=(args.size, args.size)),
        name=args.name,
        models_dir=args.models_dir,
        version=0 if not (args.models_dir / args.name / "0").exists() else None,
    )
    show_how_to_serve(folder, ["frontend/samples/four.jpg"])
    return folder


def network(weights: str, size: int, classes: int) -> Any:
    """Loads the network; exits with a sentence if its weights cannot be downloaded."""
    import keras

    shape = (size, size, 3)
    try:
        make = keras.applications.InceptionV3
        return with_weights(make, weights, input_shape=shape, classes=classes)
    except ToolError as exc:
        sys.exit(str(exc))


if __name__ == "__main__":
    main()
    sys.exit(0)
