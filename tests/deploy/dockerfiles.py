"""A Dockerfile without Docker: which files it copies where, its environment, its commands.

No engine runs on the test machine. What a container would hold and run is read from the Dockerfile
itself, laid out in a folder and run there with the tests' own Python.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from docker.utils.build import exclude_paths

__all__ = ["ROOT", "Image", "context_files", "read_image"]

ROOT = Path(__file__).resolve().parents[2]
_CONTINUED = re.compile(r"\\\n(?:[ \t]*#[^\n]*\n)*")


@dataclass
class Image:
    """One stage, with all that it is built on.

    Attributes:
        copies: (sources, target) of each COPY from the checkout, absolute within the image.
        environ: ENV; ARG only while it is read.
        user: who runs it.
        ports: what EXPOSE names.
        entrypoint, healthcheck: their commands, in the form without a shell.
    """

    base: str = ""
    copies: list[tuple[list[str], str]] = field(default_factory=list)
    environ: dict[str, str] = field(default_factory=dict)
    folder: str = "/"
    user: str = "root"
    ports: list[int] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)
    entrypoint: list[str] = field(default_factory=list)
    healthcheck: list[str] = field(default_factory=list)

    def lay_out(self, target: Path, files: list[str], root: Path = ROOT) -> None:
        """Copies the files of the build's context as the COPY lines say."""
        for sources, place in self.copies:
            for source in sources:
                self._copy(source, place, target, files, root)

    @staticmethod
    def _copy(source: str, place: str, target: Path, files: list[str], root: Path) -> None:
        found = [file for file in files if source == "." or file.startswith(f"{source}/")]
        goal = target / place.lstrip("/")
        if source in files:  # a file keeps its name below a folder
            found, source = [source], str(Path(source).parent)
        assert found, f"COPY {source}: nothing of that name is in the context"
        for file in found:
            to = goal / Path(file).relative_to(source)
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(root / file, to)


def context_files(dockerfile: Path, root: Path = ROOT) -> list[str]:
    """What Docker would send for a build, by the rules of Docker's own client."""
    rules = dockerfile.with_name(f"{dockerfile.name}.dockerignore").read_text("utf-8")
    patterns = [line for line in rules.splitlines() if line.strip() and line[0] != "#"]
    # Docker's client for Python walks into folders that a later rule might bring back.
    skipped = {".git", ".venv", ".venv-conformance", "node_modules", "benchmarks"}
    patterns = [*(f"**/{name}" for name in sorted(skipped)), *patterns]
    paths = exclude_paths(str(root), patterns, dockerfile=".dockerfile-is-not-in-the-context")
    return sorted(Path(path).as_posix() for path in paths if (root / path).is_file())


def read_image(dockerfile: Path, stage: str = "", arguments: Mapping[str, str] = {}) -> Image:
    """Reads one stage; without a name the last one, as Docker does."""
    images: dict[str, Image] = {}
    image, name = Image(), ""
    given: dict[str, str] = {}
    for line in _instructions(dockerfile.read_text("utf-8")):
        word, _, rest = line.partition(" ")
        rest = rest.strip()
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            parent = images.get(base, Image(base=base))
            image = images[name] = Image(
                parent.base, [*parent.copies], {**parent.environ}, parent.folder, parent.user,
                [*parent.ports], [*parent.runs], [*parent.entrypoint], [*parent.healthcheck],
            )  # fmt: skip
            given = {}
        elif word == "ARG":
            key, _, default = rest.partition("=")
            given[key] = arguments.get(key, default)
        else:
            _take(image, word, rest, {**image.environ, **given})
    return images[stage] if stage else image


def _instructions(text: str) -> list[str]:
    lines = _CONTINUED.sub(" ", text).splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def _take(image: Image, word: str, rest: str, known: Mapping[str, str]) -> None:
    if word == "ENV":
        for key, value in re.findall(r"(\w+)=(\S+)", rest):
            image.environ[key] = _filled(value, known)
    elif word == "WORKDIR":
        image.folder = rest
    elif word == "COPY" and not rest.startswith("--from"):
        *sources, place = _filled(rest, known).split()
        there = place if place.startswith("/") else str(Path(image.folder, place))
        image.copies.append((sources, there))
    elif word == "RUN":
        image.runs.append(rest)
    elif word == "USER":
        image.user = rest
    elif word == "EXPOSE":
        image.ports = [int(port) for port in rest.split()]
    elif word == "ENTRYPOINT":
        image.entrypoint = json.loads(rest)
    elif word == "HEALTHCHECK":
        image.healthcheck = json.loads(rest.partition("CMD ")[2])


def _filled(text: str, known: Mapping[str, str]) -> str:
    return re.sub(r"\$\{?(\w+)\}?", lambda match: known.get(match[1], ""), text)
