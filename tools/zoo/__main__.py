"""Parses the command line of ``python -m tools.zoo`` and runs one verb."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from image_classifier.errors import ClassifierError
from tools.export.classifier import TOLERANCE
from tools.shared.arguments import local_folder
from tools.shared.command import NO_PARTIAL_OUTPUT, run_command
from tools.shared.errors import ToolError
from tools.zoo.anchors import LEAST_SCORE, MOST_OVERLAP
from tools.zoo.commands import build
from tools.zoo.detector import DETECTOR
from tools.zoo.head import ROUNDS
from tools.zoo.networks import NETWORKS, PREPROCESSING, SIZE, SMALLEST
from tools.zoo.transfer import features, head

ROOT = Path(__file__).resolve().parents[2]
LARGEST_SEED = 2**32 - 1  # of NumPy


def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0, or 1 with a sentence on standard error; 130 after Ctrl+C, 143 after SIGTERM."""
    args = _parser().parse_args(argv)
    return run_command(
        lambda: args.run(args),
        prefix="refused",
        errors=(ToolError, ClassifierError),
        stopped=NO_PARTIAL_OUTPUT,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.zoo",
        description="Build well-known networks as models to serve, and teach them new classes.",
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    _add_build(verbs.add_parser("build", help="write a network as a version to serve"))
    _add_features(verbs.add_parser("features", help="write the features of a folder of images"))
    _add_head(verbs.add_parser("head", help="train a classifier on features, and join both"))
    return parser


def _add_build(verb: argparse.ArgumentParser) -> None:
    verb.set_defaults(run=build)
    _add_network(verb, [*NETWORKS, DETECTOR])
    _add_target(verb)
    verb.add_argument("--name", help="its name for callers (default: the network's name)")
    verb.add_argument("--classes", type=int, help="a new, untrained head instead of ImageNet's")
    verb.add_argument("--labels", type=Path, help="labels.txt of the classes")
    verb.add_argument("--featuriser", action="store_true", help="without a head: features out")
    verb.add_argument(
        "--least-score", type=float, default=LEAST_SCORE, help=f"of detections ({LEAST_SCORE})"
    )
    verb.add_argument(
        "--most-overlap",
        type=float,
        default=MOST_OVERLAP,
        help=f"of two detections of a class ({MOST_OVERLAP})",
    )


def _add_features(verb: argparse.ArgumentParser) -> None:
    verb.set_defaults(run=features)
    _add_network(verb, list(NETWORKS))
    verb.add_argument("folder", type=Path, metavar="FOLDER", help="with a sub-folder a label")
    verb.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.npz")


def _add_head(verb: argparse.ArgumentParser) -> None:
    verb.set_defaults(run=head)
    verb.add_argument("features", type=Path, metavar="FILE.npz", help="from the verb features")
    verb.add_argument("--name", required=True, help="the name of the model for callers")
    _add_target(verb)
    verb.add_argument("--hidden", type=int, default=0, help="units of a hidden layer (default: 0)")
    verb.add_argument(
        "--held-out", type=float, default=0.2, metavar="SHARE", help="of the images: 0.2"
    )
    verb.add_argument("--test", type=Path, metavar="FILE.npz", help="features to measure it on")
    verb.add_argument("--rounds", type=int, default=ROUNDS, help=f"at most (default: {ROUNDS})")
    verb.add_argument("--seed", type=_seed, default=1, help="default: 1")
    verb.add_argument("--weights", help="where the weights are now, if they were moved")


def _seed(text: str) -> int:
    if not text.isdecimal() or int(text) > LARGEST_SEED:
        raise argparse.ArgumentTypeError(
            f"{text} is no seed: use a whole number from 0 to {LARGEST_SEED}"
        )
    return int(text)


def _add_network(verb: argparse.ArgumentParser, names: Sequence[str]) -> None:
    verb.add_argument("network", metavar="NAME", choices=names, help=", ".join(names))
    verb.add_argument(
        "--weights",
        default="imagenet",
        help="imagenet: downloaded once, by Keras; none: random; or a file (default: imagenet)",
    )
    verb.add_argument(
        "--preprocessing",
        choices=PREPROCESSING,
        default="keras",
        help="keras: of Keras's weights; microsoft: of those of Azure ML's accelerated models "
        "(default: keras)",
    )
    verb.add_argument(
        "--size",
        type=int,
        default=SIZE,
        help=f"pixels, {SMALLEST} or more, with --weights none (default: {SIZE})",
    )
    verb.add_argument("--seed", type=_seed, default=1, help="of random weights (default: 1)")


def _add_target(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--models-dir", type=local_folder, default=Path("models"), help="default: models"
    )
    verb.add_argument("--version", type=int, help="default: the next free number")
    verb.add_argument(
        "--images",
        type=Path,
        default=ROOT / "frontend" / "samples",
        help="images to verify it on (default: the samples)",
    )
    verb.add_argument(
        "--quantized", action="store_true", help="an int8 model.onnx beside it, if top tags agree"
    )
    verb.add_argument(
        "--tolerance",
        type=float,
        default=TOLERANCE,
        help="the largest difference of probabilities inside and outside the graph where images "
        f"are resized (default: {TOLERANCE:g})",
    )


if __name__ == "__main__":
    sys.exit(main())
