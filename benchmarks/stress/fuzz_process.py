"""Tries inputs until the time is up or an input ends the process; see ``fuzz``.

Atheris is used where it is installed (Linux): it watches which lines of Pillow, of the request
parser and of the project an input reaches, and keeps those that reach new ones. Elsewhere inputs
are changed at random, which finds less.
"""

from __future__ import annotations

import json
import random
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

try:
    import atheris  # type: ignore[import-untyped, import-not-found, unused-ignore]

    with atheris.instrument_imports(include=["PIL", "image_classifier", "werkzeug"]):
        from benchmarks.stress.fuzz_target import fuzz_classifier, mutated, try_input
except ImportError:
    atheris = None
    from benchmarks.stress.fuzz_target import fuzz_classifier, mutated, try_input

MAX_LENGTH = 100_000
MEGABYTES = 2048  # more than this in one process is a crash, too
SECONDS_PER_INPUT = 20
REPORT_SECONDS = 1.0


@dataclass
class Stats:
    """The figures that a child gives its parent in a file."""

    engine: str
    inputs: int = 0
    slowest_seconds: float = 0.0
    slowest_bytes: int = 0
    peak_megabytes: float = 0.0


class Child:
    """Tries inputs, counts them, and keeps the one that was tried last."""

    def __init__(self, folder: Path, crashes: Path, seed: int) -> None:
        self.stats = Stats("atheris" if atheris else "random changes")
        self._crashes = crashes
        self._file = folder / "stats.json"
        self._seed = seed
        self._reported = 0.0
        self._classifier = fuzz_classifier()
        self._seeds = [path.read_bytes() for path in sorted((folder / "first").iterdir())]
        self._classifier.classify_bytes(self._seeds[0][1:])  # the model is loaded now

    def run(self, seconds: float, corpus: Path) -> None:
        """Tries inputs until the time is up; Atheris ends the process then."""
        if atheris is None:
            self._run_randomly(seconds)
            return
        arguments = [sys.argv[0], str(corpus), str(corpus.parent / "first")]
        arguments += [f"-max_total_time={int(seconds)}", f"-seed={self._seed}"]
        arguments += [f"-max_len={MAX_LENGTH}", f"-rss_limit_mb={MEGABYTES}"]
        arguments += [f"-timeout={SECONDS_PER_INPUT}", f"-artifact_prefix={self._crashes}/"]
        arguments += ["-print_final_stats=0", "-verbosity=0", "-len_control=0"]
        atheris.Setup(arguments, self.try_one, custom_mutator=self._mutate)
        atheris.Fuzz()  # does not come back

    def try_one(self, data: bytes) -> None:
        """Tries one input and keeps its time."""
        started = time.perf_counter()
        try_input(data, self._classifier)
        seconds = time.perf_counter() - started
        self.stats.inputs += 1
        if seconds > self.stats.slowest_seconds:
            self.stats.slowest_seconds, self.stats.slowest_bytes = seconds, len(data)
        if started > self._reported + REPORT_SECONDS:
            self._reported = started
            self.report()

    def report(self) -> None:
        """Writes the figures so far."""
        self.stats.peak_megabytes = peak_megabytes()
        self._file.write_text(json.dumps(asdict(self.stats)), "utf-8")

    def _mutate(self, data: bytes, max_size: int, seed: int) -> bytes:
        rng = random.Random(seed)
        if rng.random() < 0.3:
            return bytes(atheris.Mutate(data, max_size))
        return mutated(data or self._seeds[0], rng, self._seeds)[:max_size]

    def _run_randomly(self, seconds: float) -> None:
        rng = random.Random(self._seed)
        give_up = time.monotonic() + seconds
        while time.monotonic() < give_up:
            data = mutated(rng.choice(self._seeds), rng, self._seeds)[:MAX_LENGTH]
            try:
                self.try_one(data)
            except Exception:
                self._crashes.mkdir(parents=True, exist_ok=True)
                (self._crashes / f"crash-seed{self._seed}-{self.stats.inputs}").write_bytes(data)
                raise


def peak_megabytes() -> float:
    """The peak memory of this process."""
    if sys.platform == "win32":
        import psutil

        return float(psutil.Process().memory_info().peak_wset) / 2**20
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def main(folder: Path, crashes: Path, seconds: float, seed: int) -> None:
    """Works in ``folder``: reads ``first/``, keeps ``corpus/``, writes ``stats.json``."""
    child = Child(folder, crashes, seed)
    child.report()
    child.run(seconds, folder / "corpus")
    child.report()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]))
