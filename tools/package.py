"""Lays out what to publish for one engine, without the weight of the others.

    python -m tools.package --engine onnx OUT_DIR [--dependencies]

`func azure functionapp publish APP` from OUT_DIR works as from the project itself. TensorFlow is
1.5 GB of what is deployed; with every model converted (`python -m tools.convert`) nothing needs it.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from image_classifier.engines import ENGINES, SAVED_MODEL, weights_files
from tools.list_package import list_package

__all__ = ["lay_out", "main", "slim_requirements"]

ROOT = Path(__file__).resolve().parents[1]

# What requirements.txt lists for each engine. Few want OpenVINO: it is in requirements-dev.txt.
DISTRIBUTIONS = {
    "onnx": {"onnxruntime"},
    "openvino": {"openvino"},
    "tensorflow": {"tensorflow", "tensorflow-cpu"},
    "tflite": {"ai-edge-litert"},
}

# Where Core Tools' own local build puts what requirements.txt names.
DEPENDENCIES = Path(".python_packages") / "lib" / "site-packages"


class CannotPackage(Exception):
    """The app cannot run on this engine alone, or the target is not fit; the message says why."""


def lay_out(root: Path, target: Path, engine: str) -> list[Path]:
    """Copies the files to publish.

    Args:
        root: the project.
        target: a folder that is empty or not there yet.
        engine: a name in ENGINES.

    Returns:
        The files copied, as paths from ``target``.

    Raises:
        CannotPackage: a model has no weights for the engine, or the target has files in it.
    """
    if target.exists() and any(target.iterdir()):
        raise CannotPackage(f"{target} is not empty: name a new folder.")
    files = list_package(root)
    _check_models(files, engine)
    others = set(weights_files()) - set(ENGINES[engine].weights)
    copied = [path for path in files if path.name not in others and not _goes_with(path, others)]
    for path in copied:
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / path, target / path)
    requirements = slim_requirements((root / "requirements.txt").read_text("utf-8"), engine)
    if engine == "openvino":
        requirements += _pin(root / "requirements-dev.txt", engine)
    (target / "requirements.txt").write_text(requirements, "utf-8", newline="\n")
    return copied


def slim_requirements(text: str, engine: str) -> str:
    """``requirements.txt`` without the packages, and the remarks on them, of other engines."""
    unwanted = set().union(*(names for name, names in DISTRIBUTIONS.items() if name != engine))
    kept: list[str] = []
    remark: list[str] = []
    for line in text.splitlines():
        if line.startswith("#"):
            remark.append(line)
            continue
        name = re.match(r"[A-Za-z0-9._-]*", line)
        if not name or name[0].lower() not in unwanted:
            kept += [*remark, line]
        remark = []
    return "\n".join(kept) + "\n"


def _pin(requirements: Path, name: str) -> str:
    """The line of a package, without what it says of its use in development."""
    (line,) = re.findall(rf"^{name}==\S+", requirements.read_text("utf-8"), re.MULTILINE)
    return f"{line}\n"


def _check_models(files: Sequence[Path], engine: str) -> None:
    wanted = ENGINES[engine].weights
    folders = {path.parent for path in files if path.name in weights_files()}
    missing = sorted(
        folder for folder in folders if not any(folder / name in files for name in wanted)
    )
    if missing:
        names = " ".join(path.as_posix() for path in missing)
        hint = f" Convert first: python -m tools.convert {names}" if "model.onnx" in wanted else ""
        raise CannotPackage(f"There is no {' or '.join(wanted)} in {names}.{hint}")


def _goes_with(path: Path, others: set[str]) -> bool:
    """Whether it is part of a SavedModel that is left out."""
    parts = {"variables", "assets", "assets.extra", "fingerprint.pb"}
    return SAVED_MODEL in others and path.parts[0] == "models" and not parts.isdisjoint(path.parts)


def _install(target: Path) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile"]
    command += ["--target", str(target / DEPENDENCIES), "-r", str(target / "requirements.txt")]
    subprocess.run(command, check=True)


def _files_below(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def _megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in _files_below(folder)) / 1e6


def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0, or 1 with a sentence on standard error."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.package", description="Lay out what to publish for one engine."
    )
    parser.add_argument("target", type=Path, metavar="OUT_DIR", help="a new folder")
    parser.add_argument("--engine", choices=sorted(DISTRIBUTIONS), default="onnx")
    parser.add_argument(
        "--dependencies",
        action="store_true",
        help="install what requirements.txt names too, as 'func … publish --no-build' wants it",
    )
    args = parser.parse_args(argv)
    try:
        copied = lay_out(ROOT, args.target, args.engine)
    except CannotPackage as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1
    print(f"{args.target}: {len(copied)} files, {_megabytes(args.target):.1f} MB")
    if args.dependencies:
        print("Installing what requirements.txt names …", flush=True)
        _install(args.target)
        print(f"With all that it needs: {_megabytes(args.target):.0f} MB unpacked")
    print(f"Publish it: cd {args.target} && func azure functionapp publish MY-APP")
    return 0


if __name__ == "__main__":
    sys.exit(main())
