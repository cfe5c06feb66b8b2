"""Parses the command line of ``python -m tools.export`` and exports one model."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from image_classifier.errors import ModelError
from image_classifier.model_files.labels import read_labels
from tools.export.classifier import TOLERANCE, export_classifier
from tools.export.presets import PRESETS, preset
from tools.export.sources import input_size, load_source
from tools.export.verification import Verification
from tools.shared.arguments import local_folder
from tools.shared.command import NO_PARTIAL_OUTPUT, run_command
from tools.shared.errors import ToolError
from tools.shared.image_folders import visible_images_in
from tools.shared.steps import Steps

ROOT = Path(__file__).resolve().parents[2]


def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0, or 1 with a sentence on standard error; 130 after Ctrl+C, 143 after SIGTERM."""
    args = _parser().parse_args(argv)
    return run_command(
        lambda: _export(args),
        prefix="refused",
        errors=(ToolError, ModelError),
        stopped=NO_PARTIAL_OUTPUT,
    )


def _parser() -> argparse.ArgumentParser:
    kinds = "; ".join(f"{name}: {each.meaning}" for name, each in PRESETS.items())
    parser = argparse.ArgumentParser(
        prog="python -m tools.export",
        description="Export a Keras image classifier as a SavedModel that takes image files.",
    )
    parser.add_argument(
        "model",
        metavar="MODEL",
        help=".keras file, SavedModel folder, or module:function or file.py:function that makes it",
    )
    parser.add_argument(
        "--labels", type=Path, required=True, help="labels.txt: one label a line, in their order"
    )
    parser.add_argument("--name", required=True, help="the name of the model for callers")
    parser.add_argument(
        "--models-dir", type=local_folder, default=Path("models"), help="default: models"
    )
    parser.add_argument("--version", type=int, help="default: the next free number")
    parser.add_argument(
        "--preprocessing",
        choices=list(PRESETS),
        default="none",
        help=f"default: none. {kinds}",
    )
    parser.add_argument(
        "--resize",
        choices=["crop", "stretch", "custom_vision", "accel"],
        default="crop",
        help="crop: shorter side to size, centre cut out; stretch: to size; accel: shorter side to "
        "256 as TensorFlow 1 resizes, centre cut out (default: crop)",
    )
    parser.add_argument("--channels", choices=["RGB", "BGR", "GRAY"], help="if not the usual")
    parser.add_argument("--size", type=int, nargs=2, metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--softmax", action="store_true", help="the model gives logits")
    parser.add_argument(
        "--images",
        type=Path,
        default=ROOT / "frontend" / "samples",
        help="images to verify it on, besides generated ones (default: the samples)",
    )
    parser.add_argument(
        "--tolerance", type=float, default=TOLERANCE, help=f"default: {TOLERANCE:g}"
    )
    return parser


def _export(args: argparse.Namespace) -> None:
    steps = Steps(2)
    labels, images = _labels(args.labels), visible_images_in(args.images)
    with steps("load the model"):
        model = load_source(args.model)
    size = tuple(args.size) if args.size else input_size(model)
    if size is None:
        raise ToolError("The model does not say how large its input is: give --size.")
    input_spec = preset(args.preprocessing, size=size, resize=args.resize, channels=args.channels)
    verifications: list[Verification] = []
    with steps("write it, load it back, compare it with the app's pipeline"):
        folder = export_classifier(
            model,
            labels,
            input_spec,
            name=args.name,
            models_dir=args.models_dir,
            version=args.version,
            softmax=args.softmax,
            images=images,
            tolerance=args.tolerance,
            report=verifications.append,
        )
    for verification in verifications:
        for path, reason in verification.left_out.items():
            print(f"  not compared: {path}: {reason}")
        print(f"  {verification}{verification.advice()}")
    print(f"  {folder}")
    print(
        f"Serve it: python -m model_server --rest_api_port 8501 --model_name {args.name} "
        f"--model_base_path {folder.parent}"
    )


def _labels(path: Path) -> tuple[str, ...]:
    if path.name != "labels.txt":
        raise ToolError(f"{path}: the file with the labels must be called labels.txt.")
    return read_labels(path.parent)


if __name__ == "__main__":
    sys.exit(main())
