"""Sends 19 MB from each of 40 clients at the same moment: ``python -m benchmarks.stress.burst``.

The host must stay under 1.2 GB, give every client an answer (200, or 429 for those that come when
there is no room), and answer the next one at once. Exit 1 otherwise.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.harness import report
from benchmarks.harness.machine import describe
from benchmarks.stress.host import Client, MemorySampler, host, idle_megabytes
from benchmarks.stress.requests import Request, burst, encoded, noise
from tools.shared.tables import table

LIMIT_MEGABYTES = 1200
ALLOWED = {200, 429}


@dataclass
class Burst:
    """The outcome of a burst."""

    statuses: Counter[int | str] = field(default_factory=Counter)
    seconds: float = 0.0
    before_megabytes: float = 0.0
    peak_megabytes: float = 0.0
    after_megabytes: float = 0.0
    status_after: int | str = 0

    @property
    def is_good(self) -> bool:
        """Whether every client was answered within the limit of memory."""
        return (
            set(self.statuses) <= ALLOWED
            and self.status_after == 200
            and self.peak_megabytes < LIMIT_MEGABYTES
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Sends the burst; returns 0 if the host withstood it."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    args = _parser().parse_args(arguments)
    print(
        report.header(describe(" ".join(["python -m benchmarks.stress.burst", *arguments]))),
        flush=True,
    )
    limits = {"maxConcurrentRequests": args.concurrent, "maxOutstandingRequests": args.outstanding}
    environ = {"MALLOC_ARENA_MAX": args.arenas} if args.arenas else {}
    result = run(args.clients, {k: v for k, v in limits.items() if v}, environ)
    print(f"\n{text(result)}")
    return 0 if result.is_good else 1


def run(clients: int, limits: Mapping[str, int], environ: Mapping[str, str]) -> Burst:
    """Lets all clients connect, wait for each other and send."""
    requests = burst()
    small = Request("small png", 200, encoded(noise(64, 48), "PNG"))
    result = Burst()
    together = threading.Barrier(clients)
    lock = threading.Lock()

    def send_one(request: Request, port: int) -> None:
        client = Client(port)
        together.wait()
        status = client.send(request)
        client.close()
        with lock:
            result.statuses[status] += 1

    with host(limits, environ) as (program, port):
        client = Client(port)
        client.send(small)  # the model is loaded
        result.before_megabytes = idle_megabytes(program)
        threads = [
            threading.Thread(target=send_one, args=(requests[number % len(requests)], port))
            for number in range(clients)
        ]
        started = time.monotonic()
        with MemorySampler(program) as sampler:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            result.seconds = time.monotonic() - started
            result.status_after = client.send(small)
        result.peak_megabytes = sampler.peak_megabytes
        result.after_megabytes = idle_megabytes(program)
        client.close()
    return result


def text(result: Burst) -> str:
    """One row of a table."""
    head = ["answers", "seconds", "before", "peak", "after", "next request"]
    statuses = sorted(result.statuses.items(), key=str)
    row = [", ".join(f"{status}: {count}" for status, count in statuses), f"{result.seconds:.1f}"]
    megabytes = (result.before_megabytes, result.peak_megabytes, result.after_megabytes)
    row += [f"{value:.0f} MB" for value in megabytes] + [str(result.status_after)]
    return table(head, [row], right=5)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stress.burst", description=__doc__)
    parser.add_argument("--clients", type=int, default=40, help="default: 40")
    parser.add_argument(
        "--concurrent", type=int, help="maxConcurrentRequests instead of host.json's"
    )
    parser.add_argument("--outstanding", type=int, help="maxOutstandingRequests instead of its")
    parser.add_argument("--arenas", metavar="N", help="MALLOC_ARENA_MAX for the host")
    return parser


if __name__ == "__main__":
    sys.exit(main())
