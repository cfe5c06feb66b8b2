"""Measures what the project claims about its speed: ``python -m benchmarks [name…]``."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

# Silences TensorFlow's start-up messages; it reads this when it is imported.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from benchmarks import ROOT
from benchmarks.entries import (
    custom_vision,
    grpc_clients,
    http,
    large_images,
    pipeline,
    queue,
    request_breakdown,
    serving,
    startup,
    threads,
    zoo,
)
from benchmarks.harness import report, result_pages
from benchmarks.harness.case import Case, Verdict, WrongAnswer
from benchmarks.harness.machine import describe, load_average
from benchmarks.harness.measure import run_case
from benchmarks.harness.records import Part, Record, case_record, entry_record, verdicts
from benchmarks.peers import entry as peers

RESULTS_NAME = "benchmarks/results"
RESULTS = ROOT / RESULTS_NAME
SHOWN_ERRORS = 10

Parts = Callable[[bool], Iterator[Part]]


class Entry(NamedTuple):
    """One name on the command line.

    Attributes:
        description: of the measurement, in one line.
        minutes: about, on two idle cores.
        parts: measures; yields the results part by part.
    """

    description: str
    minutes: float
    parts: Parts


def of_cases(cases: Callable[[bool], AbstractContextManager[list[Case]]]) -> Parts:
    """Runs cases one by one.

    Args:
        cases: makes them, which may need a server or files, and clears up after them.
    """

    def parts(quick: bool) -> Iterator[Part]:
        with cases(quick) as opened:
            for case in opened:
                samples = run_case(case)
                yield Part(case_record(case, samples), verdicts(case, samples))

    return parts


ENTRIES: Mapping[str, Entry] = {
    "pipeline": Entry(
        "an image file in, tags out, in process: the tutorial's way against ours",
        1.2,
        of_cases(pipeline.cases),
    ),
    "large": Entry(
        "photos of 12 megapixels: DECODE=exact against fast, and whether their answers agree",
        1.6,
        of_cases(large_images.cases),
    ),
    "threads": Entry(
        "how many threads one inference should have, for one caller and for many",
        0.6,
        of_cases(threads.cases),
    ),
    "start": Entry(
        "from the start of the process to the first answer, and memory: both engines",
        1.3,
        of_cases(startup.cases),
    ),
    "http": Entry(
        "the local host over HTTP: one request at a time, many clients, constant rates",
        0.9,
        of_cases(http.cases),
    ),
    "budget": Entry(
        "where the time of one HTTP request goes: network, host, parse, decode …",
        0.2,
        of_cases(request_breakdown.cases),
    ),
    "serving": Entry(
        "TensorFlow Serving's API over REST and gRPC against the app's own",
        2.4,
        of_cases(serving.cases),
    ),
    "custom_vision": Entry(
        "Custom Vision's prediction API and its container's route against the app's own",
        2.2,
        of_cases(custom_vision.cases),
    ),
    "clients": Entry(
        "a model server's new client against the old one of accelerated models",
        0.8,
        of_cases(grpc_clients.cases),
    ),
    "queue": Entry(
        "images a second drained from a queue, and how soon a result is on the page",
        5,
        of_cases(queue.cases),
    ),
    "peers": Entry(
        "the local host against other servers, which are installed for it (1 GB)",
        7,
        peers.parts,
    ),
    "zoo": Entry(
        "the zoo's networks, which are built for it: TensorFlow, ONNX Runtime, OpenVINO",
        14,
        zoo.parts,
    ),
}
ONLY_WHEN_NAMED = ("queue", "peers", "zoo")


def main(argv: Sequence[str] | None = None, entries: Mapping[str, Entry] = ENTRIES) -> int:
    """Runs the entries named, or all; returns 1 if an answer was wrong or missing, else 0."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = _parser(entries)
    args = parser.parse_args(arguments)
    if args.pages:
        result_pages.write_all(RESULTS)
        return 0
    for name in args.names:
        if name not in entries:
            parser.error(f"there is no benchmark {name!r}; there are: {', '.join(entries)}")
    machine = describe(" ".join(["python -m benchmarks", *arguments]))
    print(report.header(machine), flush=True)
    records: list[Record] = []
    is_right = True
    for name in args.names or [name for name in entries if name not in ONLY_WHEN_NAMED]:
        try:
            record, errors = _measure(name, entries[name], machine, quick=args.quick)
        except WrongAnswer as exc:
            print(f"\n{name}: WRONG ANSWER, so no speed counts. {exc}", file=sys.stderr)
            is_right = False
            continue
        for error in errors[:SHOWN_ERRORS]:
            print(error, file=sys.stderr)
        is_right &= not errors
        records.append(record)
        if args.results:
            result_pages.save(record, RESULTS)
    goals = [goal for record in records for goal in record["goals"]]
    if goals:
        print(f"\n## Goals\n\n{report.goals_table(goals)}")
    if args.json:
        args.json.write_text(json.dumps(records, indent=1) + "\n", "utf-8")
    return 0 if is_right else 1


def _measure(
    name: str, entry: Entry, machine: Mapping[str, str], *, quick: bool
) -> tuple[Record, list[str]]:
    print(f"\n## {name}: {entry.description}", flush=True)
    cases: list[Record] = []
    goals: list[Verdict] = []
    errors: list[str] = []
    before = load_average()
    for part in entry.parts(quick):
        if part.case is not None:
            cases.append(part.case)
            print(f"\n{report.case_text(part.case)}", flush=True)
        goals += part.goals
        errors += part.errors
    load = {"Load average before": before, "Load average after": load_average()}
    print(f"\nLoad average before and after: {before}; {load['Load average after']}", flush=True)
    if not cases:
        raise WrongAnswer("\n".join(errors))
    return entry_record(name, entry.description, {**machine, **load}, cases, goals), errors


def _parser(entries: Mapping[str, Entry]) -> argparse.ArgumentParser:
    width = max(map(len, entries))
    minutes = sum(one.minutes for name, one in entries.items() if name not in ONLY_WHEN_NAMED)
    lines = [
        f"  {n:<{width}}  {one.description} ({one.minutes:g} min)" for n, one in entries.items()
    ]
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Measure speed and memory. Every answer is checked: a wrong one is exit 1.\n"
        "A missed goal is shown and is no error: the machine may be busy.\n\nnames:\n"
        + "\n".join(lines),
        epilog="Not about speed, and commands of their own: python -m benchmarks.stress.fuzz,\n"
        "benchmarks.stress.soak and benchmarks.stress.burst try to break the app; each has --help.",
    )
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"default: all but {', '.join(ONLY_WHEN_NAMED)} ({minutes:.0f} min on two idle cores)",
    )
    parser.add_argument(
        "--quick", action="store_true", help="few rounds: does it run, are the answers right?"
    )
    parser.add_argument(
        "--results",
        action="store_true",
        help=f"also write JSON, page and plots of each NAME to {RESULTS_NAME}/",
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="also write all figures to FILE, for programs"
    )
    parser.add_argument(
        "--pages",
        action="store_true",
        help=f"measure nothing: make the pages in {RESULTS_NAME}/ anew from its JSON",
    )
    return parser


if __name__ == "__main__":
    # The servers that it started end with it, also after SIGTERM.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        sys.exit(130)
