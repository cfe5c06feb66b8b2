"""Reads an export, copies it to a temporary folder, loads it there and adds it as a version."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from image_classifier.engines.registry import ENGINES, weights_files
from image_classifier.errors import ClassifierError
from image_classifier.images.decode import decode
from image_classifier.settings import Settings
from tools.add_model.build_version import Filled, fill
from tools.add_model.export import open_source, read_export
from tools.add_model.report import report
from tools.convert.conversion import STEPS as CONVERSION_STEPS
from tools.model_sources.messages import errors_named, shown
from tools.shared.arguments import local_folder
from tools.shared.command import run_command
from tools.shared.errors import ToolError
from tools.shared.signals import INTERRUPTED
from tools.shared.steps import Steps
from tools.shared.version_folder import write_version


def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0, or 1 with a sentence on standard error; 130 after Ctrl+C or SIGTERM."""
    args = _parser().parse_args(argv)
    if isinstance(sys.stdout, io.TextIOWrapper):  # labels may be in any script
        sys.stdout.reconfigure(errors="backslashreplace")
    lines: list[str] = []

    def add() -> None:
        lines[:] = _add(args)

    status = run_command(
        add,
        prefix="refused",
        show=shown,
        stopped="Stopped. Nothing was added.",
        terminated=INTERRUPTED,
    )
    for line in lines:
        print(line)
    return status


def _parser() -> argparse.ArgumentParser:
    kinds = ", ".join(weights_files()[:-1]) + f" or {weights_files()[-1]}"
    parser = argparse.ArgumentParser(
        prog="python -m tools.add_model",
        description="Add a classifier that Azure Custom Vision exported to the models of this app.",
        epilog=f"It takes exports with {kinds}, which are those as TensorFlow, ONNX, TensorFlow "
        "Lite and as a Dockerfile. The model is loaded and run once before it is added; after an "
        "error nothing is left behind. A model is a program: add none from people whose programs "
        "you would not run.",
    )
    parser.add_argument(
        "export",
        type=Path,
        metavar="EXPORT",
        help="the zip file from the portal, or the folder that it was unpacked to",
    )
    parser.add_argument("--name", required=True, help="the name of the model for callers")
    parser.add_argument("--version", type=int, help="default: the next free number")
    parser.add_argument(
        "--models-dir",
        type=local_folder,
        default=Path("models"),
        help="the folder with all models (default: models)",
    )
    parser.add_argument(
        "--sample", type=Path, metavar="IMAGE", help="classify this image as a test"
    )
    parser.add_argument(
        "--onnx",
        action="store_true",
        help="also convert a TensorFlow model to ONNX, which starts sooner and needs no TensorFlow",
    )
    return parser


def _add(args: argparse.Namespace) -> list[str]:
    """Adds the model and returns the lines to print."""
    sample = _image(args.sample) if args.sample else None
    print(shown(args.export))
    with open_source(args.export) as source:
        with errors_named(source.name):
            export = read_export(source)
            to_onnx = args.onnx and _can_convert(export.layout.weights_file)
        steps = Steps(2 + CONVERSION_STEPS * to_onnx + (sample is not None))
        filled: list[Filled] = []

        def write(folder: Path) -> None:
            with errors_named(source.name):
                filled.append(
                    fill(
                        folder, export, name=args.name, sample=sample, to_onnx=to_onnx, steps=steps
                    )
                )

        folder = write_version(
            write, name=args.name, models_dir=args.models_dir, version=args.version
        )
    return list(report(folder, export, filled[0]))


def _image(path: Path) -> bytes:
    try:
        data = path.read_bytes()
        decode(data, max_pixels=Settings.from_environ({}).max_image_pixels)
    except OSError as exc:
        raise ToolError(f"{path} cannot be read: {exc.strerror}.") from exc
    except ClassifierError as exc:
        raise ToolError(f"{path}: {exc.message}") from exc
    return data


def _can_convert(weights_file: str) -> bool:
    if weights_file == ENGINES["onnx"].weights[0]:
        print("  it is ONNX already: nothing to convert")
        return False
    if weights_file not in ENGINES["tensorflow"].weights:
        raise ToolError(
            f"{weights_file} cannot be converted to ONNX: leave --onnx out, or export the "
            "iteration again as TensorFlow or ONNX."
        )
    return True


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:  # the model was added already
        sys.exit(INTERRUPTED)
    except BrokenPipeError:  # | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
