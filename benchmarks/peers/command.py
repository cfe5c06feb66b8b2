"""``python -m benchmarks peers``: over HTTP, against the servers that people would use instead."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks import report
from benchmarks.cases import WrongAnswer
from benchmarks.machine import describe, load_average
from benchmarks.material import FIXTURES, REAL_MODEL, ROOT, Material, encoded, material, photo
from benchmarks.peers import page
from benchmarks.peers.environments import PEERS, NotInstalled
from benchmarks.peers.goals import verdicts
from benchmarks.peers.measure import Asked, measure
from benchmarks.peers.plan import QUICK, Plan
from benchmarks.peers.results import as_data
from benchmarks.peers.servers import (
    THREADS,
    Server,
    own_servers,
    peer_servers,
    twin_server,
    versions,
)
from image_classifier import Classifier, Settings

RESULTS = ROOT / "benchmarks" / "results"
PHOTO = FIXTURES / "images" / "catdog" / "Test_0CirmiuszRex.jpg"
SIZE = (640, 480)
SHOWN_ERRORS = 10
SERVING = ("onnxruntime", "starlette", "httptools")


@dataclass(frozen=True)
class Subject:
    """The model and the picture of a run."""

    found: Material
    asked: Asked
    about: str


def main(argv: Sequence[str]) -> int:
    """Returns 1 if any answer was wrong or missing, else 0; a missed goal is no error."""
    args = _parser().parse_args(argv)
    if args.page_of is not None:
        page.write(json.loads(args.page_of.read_text("utf-8")), RESULTS / "peers.md")
        return 0
    if sys.platform == "win32":
        print("The peers do not run on Windows. Use Linux, macOS or WSL.", file=sys.stderr)
        return 2
    try:
        data, errors = _run(" ".join(["python -m benchmarks peers", *argv]), quick=args.quick)
    except WrongAnswer as exc:
        print(f"\npeers: {exc}", file=sys.stderr)
        return 1
    print(f"\n{page.text(data)}")
    file: Path | None = args.json or (None if args.quick else RESULTS / "peers.json")
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(data, indent=1) + "\n", "utf-8", newline="\n")
    if not args.quick:
        RESULTS.mkdir(exist_ok=True)
        page.write(data, RESULTS / "peers.md")
    for error in errors[:SHOWN_ERRORS]:
        print(error, file=sys.stderr)
    return 1 if errors else 0


def _run(command: str, *, quick: bool) -> tuple[dict[str, Any], list[str]]:
    with _subject() as subject:
        servers, skipped = _servers(subject.found)
        machine = describe(command)
        for name in SERVING:
            machine["Packages"] += f", {name} {importlib.metadata.version(name)}"
        machine["Peers"] = versions()
        machine["Subject"] = subject.about
        machine["Threads"] = f"{THREADS} for each inference"
        print(report.header(machine), flush=True)
        measured = measure(servers, subject.asked, QUICK if quick else Plan())
        machine["Load average after"] = load_average()
    goals = verdicts(measured, servers)
    return as_data(machine, skipped, servers, measured, goals), measured.errors()


def _servers(found: Material) -> tuple[list[Server], dict[str, str]]:
    servers, skipped = own_servers(found.models_dir, found.model), {}
    for name in PEERS:
        try:
            servers += peer_servers(name, found.folder)
        except NotInstalled as exc:
            skipped[name] = str(exc)
            print(f"{name} is left out: {exc}", file=sys.stderr)
    return [*servers, twin_server(found.folder)], skipped


@contextmanager
def _subject() -> Iterator[Subject]:
    """The material with an ONNX file in it, and the picture with the answer that is right."""
    with material() as found:
        image, name = photo(*SIZE), "a generated picture"
        about = "the demo model digits"
        if FIXTURES.is_dir():
            _convert(found.folder)
            image = Image.open(PHOTO).convert("RGB").resize(SIZE, Image.Resampling.LANCZOS)
            name, about = f"a photograph ({PHOTO.name})", f"the real export {REAL_MODEL}"
        file = found.models_dir / "picture.jpg"
        file.write_bytes(encoded(image, "JPEG", quality=90))
        settings = {
            "MODELS_DIR": str(found.models_dir),
            "DEFAULT_MODEL": found.model,
            "ENGINE": "onnx",
            "ENGINE_THREADS": str(THREADS),
        }
        prediction = Classifier(Settings.from_environ(settings)).classify_bytes(file.read_bytes())
        top = max(prediction.tags, key=lambda tag: tag.probability)
        yield Subject(
            found,
            Asked(file=file, tag=top.tag_name, probability=top.probability),
            f"{about} as ONNX; {name}, JPEG of {SIZE[0]} x {SIZE[1]}, "
            f"{file.stat().st_size / 1000:.0f} kB",
        )


def _convert(folder: Path) -> None:
    """Makes ``model.onnx`` beside ``model.pb`` as the README tells people to."""
    for file in folder.iterdir():
        file.chmod(0o644)
    command = [sys.executable, "-m", "tools.convert", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        raise WrongAnswer(f"The model cannot be converted:\n{done.stdout}{done.stderr}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks peers",
        description="Measure the local host against other servers over HTTP; 6 minutes. The first "
        "run installs them from PyPI into .venv-peer-*/ (1 GB). Writes benchmarks/results/peers.*",
    )
    parser.add_argument("--quick", action="store_true", help="few rounds, and no page written")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    parser.add_argument(
        "--page-of", type=Path, metavar="FILE", help="measure nothing: make the page of that JSON"
    )
    return parser
