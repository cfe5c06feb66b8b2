"""Parses the command line of ``python -m tools.convert`` and converts each folder."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from image_classifier.errors import ClassifierError
from tools.convert.conversion import SAMPLES, convert_folder
from tools.shared.arguments import local_folder
from tools.shared.command import NO_PARTIAL_OUTPUT, run_command

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0, or 1 if a folder was refused; 130 after Ctrl+C, 143 after SIGTERM."""
    args = _parser().parse_args(argv)
    return run_command(lambda: _convert(args), stopped=NO_PARTIAL_OUTPUT)


def _convert(args: argparse.Namespace) -> int:
    failed = 0
    for folder in args.folders:
        try:
            print(f"{folder}")
            made = convert_folder(folder, image_folder=args.images, int8=args.int8)
            print(f"  {made}")
        except ClassifierError as exc:
            print(f"  refused: {exc.message}", file=sys.stderr, flush=True)
            failed += 1
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.convert",
        description="Convert model.pb or a SavedModel to model.onnx, and compare their scores.",
    )
    parser.add_argument("folders", nargs="+", type=local_folder, metavar="MODEL_FOLDER")
    parser.add_argument(
        "--images",
        type=Path,
        default=SAMPLES,
        help="images to compare both on, and to measure ranges of int8 on (default: the samples)",
    )
    parser.add_argument("--int8", action="store_true", help="8-bit weights and activations")
    return parser


if __name__ == "__main__":
    sys.exit(main())
