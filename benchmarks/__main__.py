"""``python -m benchmarks [name…]``: measure what the project claims about its speed."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

# TensorFlow's start-up chatter is not about speed. Read when it is imported, so set before.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from benchmarks import bench_http, bench_pipeline, bench_preprocess, bench_start, report
from benchmarks.cases import Case, WrongAnswer
from benchmarks.machine import describe, load_average
from benchmarks.measure import run_case
from benchmarks.peers import command as peers

# An entry makes its cases, which may need a server or files, and clears up after them.
Entry = Callable[[bool], AbstractContextManager[list[Case]]]
ENTRIES: Mapping[str, Entry] = {
    "pipeline": bench_pipeline.cases,
    "preprocess": bench_preprocess.cases,
    "http": bench_http.cases,
    "start": bench_start.cases,
}
# Servers of other makers, installed for it: not part of "all", and with a report of its own.
PEERS = "peers"


def main(argv: Sequence[str] | None = None, entries: Mapping[str, Entry] = ENTRIES) -> int:
    """Runs the entries named, or all; returns 1 if an answer was wrong or missing, else 0."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == [PEERS]:
        return peers.main(arguments[1:])
    parser = _parser(entries)
    args = parser.parse_args(arguments)
    for name in args.names:
        if name not in entries:
            parser.error(f"there is no benchmark {name!r}; there are: {', '.join(entries)}")
    machine = describe(" ".join(["python -m benchmarks", *arguments]))
    print(report.header(machine), flush=True)
    results = []
    for name in args.names or entries:
        try:
            with entries[name](args.quick) as cases:
                for case in cases:
                    results.append(report.Result(case, run_case(case)))
                    print(f"\n{report.case_text(results[-1])}", flush=True)
        except WrongAnswer as exc:
            print(f"\n{name}: WRONG ANSWER, so no speed counts. {exc}", file=sys.stderr)
            return 1
    machine["Load average after"] = load_average()
    print(f"\nLoad average after:  {machine['Load average after']}\n\n{report.goals_text(results)}")
    if args.json:
        text = json.dumps(report.as_json(machine, results), indent=1)
        args.json.write_text(text + "\n", "utf-8")
    return 0


def _parser(entries: Mapping[str, Entry]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure speed and memory. Every answer is checked: a wrong one is exit 1.",
    )
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"of {', '.join(entries)}; default: all of them; "
        f"or {PEERS} alone, against other servers",
    )
    parser.add_argument("--quick", action="store_true", help="few rounds: does it run at all?")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there too")
    return parser


if __name__ == "__main__":
    # However it is ended, the servers that it started end with it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        sys.exit(130)
