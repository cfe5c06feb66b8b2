"""Reads a compiled requirements file, and leaves out of it what one engine does not need.

    python -m tools.bootstrap.lock_file requirements.txt --engine onnx

rewrites the file in place. The Dockerfiles call it so, as a single file, before they install
anything: it needs the standard library alone.

`python -m tools.lock` compiles these files. Below each package stands the list of those that ask
for it (`# via`). A package of which TensorFlow alone is the reason goes with TensorFlow.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "DISTRIBUTIONS",
    "EVERY_ENGINE",
    "LockedPackage",
    "for_engine",
    "reachable",
    "read_lock",
    "write_lock",
]

# The packages of each engine. OpenVINO stands in requirements-dev.txt alone, for few apps want it.
DISTRIBUTIONS = {
    "onnx": {"onnxruntime"},
    "openvino": {"openvino"},
    "tensorflow": {"tensorflow", "tensorflow-cpu"},
    "tflite": {"ai-edge-litert"},
}
# All that requirements.txt names, as `func azure functionapp publish` from the project installs it.
EVERY_ENGINE = "auto"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class LockedPackage:
    """One package of a lock. A package with a version for each Python has one of these for each.

    Attributes:
        name: lower case, with hyphens.
        requirement: name, version and marker, without hashes: ``idna==3.20``.
        hashes: such as ``sha256:…``, one for each file of the release.
        wanted_by: the packages that ask for it, and the sources that name it, such as
            ``-r requirements.in``.
    """

    name: str
    requirement: str
    hashes: tuple[str, ...]
    wanted_by: frozenset[str]

    @property
    def is_named(self) -> bool:
        """Whether a source names it, so that it is not there for another package's sake alone."""
        return any(each.startswith("-r ") for each in self.wanted_by)


def read_lock(text: str) -> list[LockedPackage]:
    """The packages of a compiled requirements file, in its order."""
    blocks: list[list[str]] = []
    for line in text.splitlines():
        if line and not line[0].isspace() and not line.startswith("#"):
            blocks.append([])
        if blocks and line.strip():
            blocks[-1].append(line.strip())
    return [_package(block) for block in blocks]


def _package(lines: Sequence[str]) -> LockedPackage:
    stated = " ".join(line.rstrip("\\").strip() for line in lines if not line.startswith("#"))
    requirement, *hashes = re.split(r"\s+--hash=", stated)
    notes = [line.lstrip("# ") for line in lines if line.startswith("#")]
    if notes:
        notes[0] = notes[0][len("via") :]
    wanted_by = {each.strip() for note in notes for each in note.split(",")}
    name = _NAME.match(requirement)
    if name is None:
        raise ValueError(f"{requirement!r} names no package")
    return LockedPackage(
        re.sub(r"[-_.]+", "-", name[0]).lower(),
        requirement,
        tuple(hashes),
        frozenset(wanted_by - {""}),
    )


def write_lock(packages: Iterable[LockedPackage]) -> str:
    """The packages as pip reads them: versions, markers and hashes, without the notes."""
    blocks = (
        " \\\n".join([each.requirement, *(f"    --hash={value}" for value in each.hashes)])
        for each in packages
    )
    return "".join(f"{block}\n" for block in blocks)


def reachable(
    packages: Sequence[LockedPackage], names: Iterable[str], without: Iterable[str] = ()
) -> list[LockedPackage]:
    """The packages of these names and all that they need, in the order of ``packages``.

    Args:
        packages: those of one lock.
        names: where to start; lower case, with hyphens.
        without: packages to leave out, with all that is there for their sake alone.
    """
    left_out = set(without)
    found = set(names) - left_out
    while new := {
        each.name
        for each in packages
        if each.name not in found | left_out and not found.isdisjoint(each.wanted_by)
    }:
        found |= new
    return [each for each in packages if each.name in found]


def for_engine(text: str, engine: str) -> str:
    """A lock without the packages of other engines and without what only these need.

    Args:
        text: a compiled requirements file.
        engine: a name in DISTRIBUTIONS.
    """
    packages = read_lock(text)
    others = set().union(*(names for name, names in DISTRIBUTIONS.items() if name != engine))
    named = [each.name for each in packages if each.is_named]
    return write_lock(reachable(packages, named, without=others))


def main(argv: Sequence[str] | None = None) -> int:
    """Rewrites the file; returns 0."""
    parser = argparse.ArgumentParser(
        prog="lock_file.py", description="Leave out of a lock what one engine does not need."
    )
    parser.add_argument("lock", type=Path, help="a compiled requirements file, which is rewritten")
    # OpenVINO's versions and hashes are in requirements-dev.txt, which an image does not have.
    engines = sorted({*DISTRIBUTIONS, EVERY_ENGINE} - {"openvino"})
    parser.add_argument("--engine", choices=engines, required=True)
    args = parser.parse_args(argv)
    if args.engine != EVERY_ENGINE:
        slim = for_engine(args.lock.read_text("utf-8"), args.engine)
        args.lock.write_text(slim, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
