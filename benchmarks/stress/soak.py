"""Searches for leaks under full load: ``python -m benchmarks.stress.soak --minutes N``.

Eight clients send good, bad and huge requests to the local host without a pause. Exit 1 if one
status is not the expected one, or if the memory of the host, at rest, is more than 5 % larger at
the end than after the warm-up.
"""

from __future__ import annotations

import argparse
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.harness import report
from benchmarks.harness.machine import describe, load_average
from benchmarks.harness.report import number
from benchmarks.servers.processes import Program
from benchmarks.stress.host import Client, MemorySampler, host, idle_megabytes
from benchmarks.stress.requests import Request, bad, good, huge
from tools.shared.tables import table

CLIENTS = 8
# One request in 30 is huge, which still is most of the work.
WEIGHTS = {"good": 20, "bad": 9, "huge": 1}
ALLOWED_GROWTH = 0.05
WARM_UP_PART = 0.25


@dataclass
class Soak:
    """The answers, and the memory of the host at rest."""

    answers: Counter[tuple[str, int | str]] = field(default_factory=Counter)
    unexpected: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    megabytes: dict[str, float] = field(default_factory=dict)
    peak_megabytes: float = 0.0

    @property
    def requests(self) -> int:
        """The number of answers."""
        return sum(self.answers.values())

    @property
    def growth(self) -> float:
        """The share by which the memory at rest grew."""
        return self.megabytes["end"] / self.megabytes["start"] - 1

    @property
    def is_good(self) -> bool:
        """Whether all answers were the expected ones and the memory stayed as it was."""
        return not self.unexpected and self.growth <= ALLOWED_GROWTH


def main(argv: Sequence[str] | None = None) -> int:
    """Soaks; returns 0 if the app stayed as it was."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    args = _parser().parse_args(arguments)
    print(
        report.header(describe(" ".join(["python -m benchmarks.stress.soak", *arguments]))),
        flush=True,
    )
    soak = run(args.minutes * 60)
    print(f"Load average after:  {load_average()}\n\n{text(soak)}")
    if soak.unexpected:
        print("\nUNEXPECTED:", *soak.unexpected.items(), sep="\n", file=sys.stderr)
    if soak.growth > ALLOWED_GROWTH:
        print(f"\nGROWN by {soak.growth:.1%}", file=sys.stderr)
    return 0 if soak.is_good else 1


def run(seconds: float) -> Soak:
    """Runs a warm-up, then two halves of load with a rest after each."""
    kinds = {"good": good(), "bad": bad(), "huge": huge()}
    soak = Soak()
    with host() as (program, port), MemorySampler(program) as sampler:
        _load(port, kinds, seconds * WARM_UP_PART, Soak(), seed=0)
        _rest(soak, "start", program)
        for seed, name in enumerate(("middle", "end"), 1):
            soak.seconds += _load(port, kinds, seconds * (1 - WARM_UP_PART) / 2, soak, seed=seed)
            _rest(soak, name, program)
    soak.peak_megabytes = sampler.peak_megabytes
    return soak


def _rest(soak: Soak, name: str, program: Program) -> None:
    soak.megabytes[name] = idle_megabytes(program)
    print(f"{name}: {soak.requests} requests, {soak.megabytes[name]:.0f} MB at rest", flush=True)


def _load(
    port: int, kinds: dict[str, list[Request]], seconds: float, soak: Soak, *, seed: int
) -> float:
    """Lets all clients send at once; every client sends one of each first."""
    started = time.monotonic()
    lock = threading.Lock()

    def send_requests(number: int) -> None:
        rng = random.Random(seed * 1000 + number)
        everything = [(kind, request) for kind, requests in kinds.items() for request in requests]
        rng.shuffle(everything)
        client = Client(port)
        while time.monotonic() < started + seconds or everything:
            if everything:
                kind, request = everything.pop()
            else:
                kind = rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
                request = rng.choice(kinds[kind])
            status = client.send(request)
            with lock:
                soak.answers[kind, status] += 1
                if status != request.status:
                    soak.unexpected[f"{request.name}: {status} instead of {request.status}"] += 1
        client.close()

    threads = [threading.Thread(target=send_requests, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.monotonic() - started


def text(soak: Soak) -> str:
    """Makes two tables: answers, and memory."""
    answers = [[kind, str(status), str(n)] for (kind, status), n in sorted(soak.answers.items())]
    head = ["requests", "per second", "unexpected", "start", "middle", "end", "growth", "peak"]
    row = [str(soak.requests), number(soak.requests / soak.seconds)]
    row += [str(sum(soak.unexpected.values()))]
    row += [f"{soak.megabytes[name]:.0f} MB" for name in ("start", "middle", "end")]
    row += [f"{soak.growth:+.1%}", f"{soak.peak_megabytes:.0f} MB"]
    return "\n\n".join(
        [
            table(["requests", "status", "answers"], answers, right=2),
            table(head, [row], right=len(head)),
        ]
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stress.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0, help="how long (default: 5)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
