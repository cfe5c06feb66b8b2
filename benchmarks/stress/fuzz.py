"""Searches for images and requests that break the app: ``python -m benchmarks.stress.fuzz``.

Changed images in all formats go through decode and preprocess, changed requests through the whole
endpoints of ``/api/classify``, of the Custom Vision API and of the exported container's routes. A
crash is any exception but the errors that have a status, any answer of 500, an input that takes 20
s, a process that takes 2 GB or dies. Exit 1 if there was one.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import ROOT
from benchmarks.harness import report
from benchmarks.harness.machine import describe, load_average
from benchmarks.stress.fuzz_target import first_inputs, fuzz_classifier, try_input
from tools.shared.tables import table

CRASHES = ROOT / "benchmarks" / "crashes"
PROGRESS_SECONDS = 15.0
STOP_SECONDS = 60.0  # for a child that does not end by itself


@dataclass
class Run:
    """The figures of all children together."""

    engine: str = ""
    inputs: int = 0
    crashes: int = 0
    slowest_seconds: float = 0.0
    slowest_bytes: int = 0
    peak_megabytes: float = 0.0
    last_words: str = ""

    def add(self, stats: dict[str, float | str]) -> None:
        """Adds the figures that a child wrote."""
        self.engine = str(stats["engine"])
        self.inputs += int(stats["inputs"])
        self.peak_megabytes = max(self.peak_megabytes, float(stats["peak_megabytes"]))
        if float(stats["slowest_seconds"]) > self.slowest_seconds:
            self.slowest_seconds = float(stats["slowest_seconds"])
            self.slowest_bytes = int(stats["slowest_bytes"])


def main(argv: Sequence[str] | None = None, crashes: Path = CRASHES) -> int:
    """Fuzzes, or tries one saved input again; returns 1 if anything broke."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    args = _parser().parse_args(arguments)
    if args.again:
        try_input(args.again.read_bytes(), fuzz_classifier())  # shows its traceback
        print(f"{args.again}: nothing broke")
        return 0
    print(
        report.header(describe(" ".join(["python -m benchmarks.stress.fuzz", *arguments]))),
        flush=True,
    )
    run = fuzz(args.minutes * 60, args.seed, crashes)
    if run.inputs == 0 and not run.crashes:
        print(f"\nNo input was tried. The fuzzer's last words:\n{run.last_words}", file=sys.stderr)
        return 1
    print(f"Load average after:  {load_average()}\n\n{summary(run, args.minutes)}")
    if run.crashes:
        print(
            f"\n{run.crashes} crashes. The inputs are in {crashes}; to see one again:\n"
            f"python -m benchmarks.stress.fuzz --again FILE\n\n{run.last_words}",
            file=sys.stderr,
        )
    return 1 if run.crashes else 0


def fuzz(seconds: float, seed: int, crashes: Path) -> Run:
    """Runs one child after the other until the time is up; each new one after a crash."""
    run = Run()
    crashes.mkdir(parents=True, exist_ok=True)
    (crashes / ".gitignore").write_text("*\n", "utf-8")
    give_up = time.monotonic() + seconds
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        folder = Path(name)
        (folder / "first").mkdir()
        (folder / "corpus").mkdir()
        for number, data in enumerate(first_inputs()):
            (folder / "first" / f"{number:03}").write_bytes(data)
        while (left := give_up - time.monotonic()) > 0:
            if _child(folder, crashes, left, seed, run) == 0:
                break
            run.crashes += 1
            seed += 1
    return run


def _child(folder: Path, crashes: Path, seconds: float, seed: int, run: Run) -> int:
    log = folder / "log"
    stats = folder / "stats.json"
    stats.unlink(missing_ok=True)
    command = [sys.executable, "-m", "benchmarks.stress.fuzz_process"]
    command += [str(folder), str(crashes), str(seconds), str(seed)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output)
        try:
            _watch(process, stats, seconds, run.inputs)
        finally:
            process.kill()
            process.wait()
    if stats.is_file():
        run.add(json.loads(stats.read_text("utf-8")))
    if process.returncode:
        run.last_words = "\n".join(log.read_text("utf-8", "replace").splitlines()[-40:])
    return process.returncode


def _watch(process: subprocess.Popen[bytes], stats: Path, seconds: float, before: int) -> None:
    """Waits for the child and prints its progress now and then."""
    started = time.monotonic()
    while time.monotonic() < started + seconds + STOP_SECONDS:
        try:
            process.wait(PROGRESS_SECONDS)
            return
        except subprocess.TimeoutExpired:
            if stats.is_file():
                now = json.loads(stats.read_text("utf-8"))
                print(
                    f"{time.monotonic() - started:5.0f} s: {before + now['inputs']} inputs, "
                    f"slowest {now['slowest_seconds']:.2f} s, {now['peak_megabytes']:.0f} MB",
                    flush=True,
                )


def summary(run: Run, minutes: float) -> str:
    """One row for benchmarks/README.md."""
    head = ["engine", "minutes", "inputs tried", "crashes", "slowest input", "peak memory"]
    row = [run.engine, f"{minutes:g}", str(run.inputs), str(run.crashes)]
    row += [f"{run.slowest_seconds:.2f} s ({run.slowest_bytes} bytes)"]
    row += [f"{run.peak_megabytes:.0f} MB"]
    return table(head, [row], right=5)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stress.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0, help="how long (default: 5)")
    parser.add_argument("--seed", type=int, default=1, help="begin elsewhere (default: 1)")
    parser.add_argument("--again", type=Path, metavar="FILE", help="try one saved input again")
    return parser


if __name__ == "__main__":
    sys.exit(main())
