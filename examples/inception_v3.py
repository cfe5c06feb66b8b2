"""Serves Keras's InceptionV3: a JPEG in, a label out, all preprocessing inside the graph."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# So that `python examples/inception_v3.py` works as well.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from examples.common import bounded_waits, parser, seeded, show_how_to_serve
from tools.export import export_classifier, preset

SIZE = 299
SMALLEST = 75  # pixels, for the network to have any left at its end
LABELS_URL = "https://storage.googleapis.com/download.tensorflow.org/data/imagenet_class_index.json"


def main(argv: Sequence[str] | None = None) -> Path:
    """Builds and exports; returns the version folder."""
    quick = f"the same as --weights none --size {SMALLEST}: a small network with random weights"
    options = parser("inception_v3", __doc__ or "", epochs=None, quick=quick)
    options.add_argument(
        "--weights",
        choices=["imagenet", "none"],
        default="imagenet",
        help="imagenet: downloaded, 92 MB; none: random, to try the way (default: imagenet)",
    )
    options.add_argument(
        "--size", type=int, default=SIZE, help=f"pixels, {SMALLEST} or more (default: {SIZE})"
    )
    options.add_argument("--classes", type=int, default=1000, help="with --weights none")
    args = options.parse_args(argv)
    if args.quick:
        args.weights, args.size = "none", SMALLEST
    if args.size < SMALLEST:
        options.error(f"--size must be {SMALLEST} or more")
    if args.weights == "imagenet" and args.size != SIZE:
        options.error(f"the ImageNet weights are for --size {SIZE}")
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
    """The network; exits with a sentence if its weights cannot be downloaded."""
    import keras

    if weights == "none":
        shape = (size, size, 3)
        return keras.applications.InceptionV3(weights=None, input_shape=shape, classes=classes)
    try:
        with bounded_waits():
            return keras.applications.InceptionV3(weights="imagenet", input_shape=(size, size, 3))
    except Exception as exc:  # Keras raises a bare Exception for a failed download
        first = str(exc).split("\n", 1)[0]
        sys.exit(
            f"The ImageNet weights cannot be had ({first}). Try again with a network, or see how "
            "it works with random ones: --weights none."
        )


def imagenet_labels() -> list[str]:
    """ImageNet's 1000 names, each once; numbers if the list cannot be downloaded."""
    import keras

    try:
        with bounded_waits():
            path = keras.utils.get_file("imagenet_class_index.json", LABELS_URL)
        listed = json.loads(Path(path).read_text("utf-8"))
    except Exception as exc:
        print(f"The names of ImageNet's classes cannot be downloaded ({exc}): numbers instead.")
        return numbered(1000)
    labels: list[str] = []
    for index in range(len(listed)):
        code, name = listed[str(index)]
        labels.append(name if name not in labels else f"{name} ({code})")  # there are two cranes
    return labels


def numbered(count: int) -> list[str]:
    return [f"class {index}" for index in range(count)]


if __name__ == "__main__":
    main()
    sys.exit(0)
