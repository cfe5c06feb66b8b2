"""Lays out what to publish for one engine, without the weight of the others.

    python -m tools.package --engine onnx OUT_DIR [--replace] [--dependencies]

`func azure functionapp publish APP` from OUT_DIR works as from the project itself, and azd deploys
such a folder (deploy/azure/azure.yaml). TensorFlow is 1.5 GB of what is deployed; with every model
converted (`python -m tools.convert`) nothing needs it. `--engine auto` leaves nothing out.

It runs on a bare Python, because azd calls it on machines where nothing is installed: it and what
it imports of `tools` need the standard library alone.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tools.bootstrap.lock_file import (
    EVERY_ENGINE,
    for_engine,
    reachable,
    read_lock,
    write_lock,
)
from tools.list_package import list_package
from tools.shared.command import run_command
from tools.shared.errors import ToolError

__all__ = ["lay_out", "main", "requirements_for"]

ROOT = Path(__file__).resolve().parents[1]

# What each engine runs: the table of engines/registry.py once more, because that imports
# NumPy. A test holds the two against each other.
SAVED_MODEL = "saved_model.pb"
WEIGHTS = {
    "onnx": ("model.onnx",),
    "openvino": ("model.onnx",),
    "tensorflow": ("model.pb", SAVED_MODEL),
    "tflite": ("model.tflite",),
}
ANY_WEIGHTS = frozenset(name for names in WEIGHTS.values() for name in names)

# Marks a folder as laid out here, so that --replace empties no other. Neither Core Tools nor azd
# packs a file of this name. It holds no rule: all that is laid out is to be packed.
MARKER = Path(".funcignore")
MARK = "# Laid out by python -m tools.package; with --replace it empties this folder again.\n"

# Where Core Tools' own local build puts what requirements.txt names.
DEPENDENCIES = Path(".python_packages") / "lib" / "site-packages"


def lay_out(root: Path, target: Path, engine: str, *, replace: bool = False) -> list[Path]:
    """Copies the files to publish.

    Args:
        root: the project.
        target: a folder that is empty or not there yet.
        engine: a name in WEIGHTS, or EVERY_ENGINE.
        replace: whether ``target`` may hold what an earlier call laid out; that goes.

    Returns:
        The files copied, as paths from ``target``.

    Raises:
        ToolError: a model has no weights for the engine, or the target has other files in it.
    """
    _check_target(target, replace)
    files = list_package(root)
    others: set[str] = set()
    if engine != EVERY_ENGINE:
        _check_models(files, engine)
        others = set(ANY_WEIGHTS - set(WEIGHTS[engine]))
    copied = [path for path in files if path.name not in others and not _goes_with(path, others)]
    target.mkdir(parents=True, exist_ok=True)
    _empty(target)
    (target / MARKER).write_text(MARK, "utf-8", newline="\n")
    for path in copied:
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / path, target / path)
    requirements = requirements_for(root, engine)
    (target / "requirements.txt").write_text(requirements, "utf-8", newline="\n")
    return copied


def requirements_for(root: Path, engine: str) -> str:
    """The lock of what an app with this engine alone installs, versions and hashes as they are.

    Args:
        root: the project.
        engine: a name in WEIGHTS, or EVERY_ENGINE for all of ``requirements.txt``.
    """
    lock = (root / "requirements.txt").read_text("utf-8")
    if engine == EVERY_ENGINE:
        return lock
    slim = for_engine(lock, engine)
    if engine != "openvino":
        return slim
    # requirements.txt has no OpenVINO; requirements-dev.txt has it, in versions that fit.
    ours = read_lock(slim)
    development = read_lock((root / "requirements-dev.txt").read_text("utf-8"))
    names = {each.name for each in ours}
    added = [each for each in reachable(development, [engine]) if each.name not in names]
    return write_lock([*ours, *added])


def _check_target(target: Path, replace: bool) -> None:
    if not target.exists() or not any(target.iterdir()):
        return
    marker = target / MARKER
    ours = marker.is_file() and marker.read_text("utf-8", errors="replace") == MARK
    if not replace or not ours:
        hint = "name a new folder"
        if ours:
            hint += ", or say --replace, which empties this one first"
        raise ToolError(f"{target} is not empty: {hint}.")


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _check_models(files: Sequence[Path], engine: str) -> None:
    wanted = WEIGHTS[engine]
    folders = {path.parent for path in files if path.name in ANY_WEIGHTS}
    missing = sorted(
        folder for folder in folders if not any(folder / name in files for name in wanted)
    )
    if missing:
        names = " ".join(path.as_posix() for path in missing)
        hint = f" Convert first: python -m tools.convert {names}" if "model.onnx" in wanted else ""
        raise ToolError(f"There is no {' or '.join(wanted)} in {names}.{hint}")


def _goes_with(path: Path, others: set[str]) -> bool:
    """Whether it is part of a SavedModel that is left out."""
    parts = {"variables", "assets", "assets.extra", "fingerprint.pb"}
    return SAVED_MODEL in others and path.parts[0] == "models" and not parts.isdisjoint(path.parts)


def _install(target: Path) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile"]
    command += [
        "--require-hashes",
        "--target",
        str(target / DEPENDENCIES),
        "-r",
        str(target / "requirements.txt"),
    ]
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
    parser.add_argument(
        "--engine",
        choices=sorted({*WEIGHTS, EVERY_ENGINE}),
        default="onnx",
        help=f"the one that runs every model; {EVERY_ENGINE}: all of requirements.txt",
    )
    parser.add_argument(
        "--replace",
        action="store_true",
        help="empty OUT_DIR first, if it is what this tool laid out before",
    )
    parser.add_argument(
        "--dependencies",
        action="store_true",
        help="install what requirements.txt names too, as 'func … publish --no-build' wants it",
    )
    args = parser.parse_args(argv)

    def work() -> None:
        copied = lay_out(ROOT, args.target, args.engine, replace=args.replace)
        print(f"{args.target}: {len(copied)} files, {_megabytes(args.target):.1f} MB")
        if args.dependencies:
            print("Installing what requirements.txt names …", flush=True)
            _install(args.target)
            print(f"With all that it needs: {_megabytes(args.target):.1f} MB unpacked")
        print(f"Publish it: cd {args.target} && func azure functionapp publish MY-APP")

    return run_command(work)


if __name__ == "__main__":
    sys.exit(main())
