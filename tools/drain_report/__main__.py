"""Prints the queues once or repeatedly, or puts failed images back on the queue."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence

from azure.storage.queue import QueueClient
from tqdm import tqdm

from tools.drain_report.depth import Meter, read_failures
from tools.drain_report.requeue import HIDDEN_SECONDS, message_again, requeue
from tools.drain_report.show import as_json, as_line, as_table
from tools.shared.command import run_command
from tools.shared.queue_client import add_connection, count_messages, open_queue
from tools.shared.signals import INTERRUPTED

WATCH_SECONDS = 2.0


def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0, or 1 with a sentence on standard error; 130 after Ctrl+C."""
    args = _parser().parse_args(argv)
    return run_command(lambda: _report(args))


def _report(args: argparse.Namespace) -> int:
    names = [args.queue, f"{args.queue}-failed", f"{args.queue}-poison"]
    queues = [open_queue(name, setting=args.connection) for name in names]
    if args.requeue:
        return _requeue(queues[0], queues[names.index(f"{args.queue}-{args.requeue}")], args)
    meter = Meter(queues)
    while True:
        depths = meter.read(time.monotonic())
        if args.json:
            print(json.dumps(as_json(depths, read_failures(queues[1]))), flush=True)
        elif args.watch:
            print(as_line(depths), flush=True)
        else:
            print(as_table(depths, read_failures(queues[1])), flush=True)
        if not args.watch:
            return 0
        time.sleep(args.watch)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.drain_report",
        description="Show the messages left in the queues, and why images failed.",
        epilog="The numbers come from the storage service, which calls them approximate; they "
        "include messages in progress.",
    )
    parser.add_argument(
        "--watch",
        nargs="?",
        type=_seconds,
        const=WATCH_SECONDS,
        metavar="SECONDS",
        help=f"repeat until Ctrl+C, with rates (default: every {WATCH_SECONDS:g} s)",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument(
        "--requeue", choices=["failed", "poison"], help="put those messages back on the queue"
    )
    parser.add_argument("--count", type=_natural, help="with --requeue: the most messages")
    parser.add_argument("--queue", default="images", help="default: images")
    add_connection(parser)
    return parser


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.1 <= value <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 0.1 to 3600")
    return value


def _natural(text: str) -> int:
    if not text.isdecimal() or len(text) > 12:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 0 or more")
    return int(text)


def _requeue(target: QueueClient, source: QueueClient, args: argparse.Namespace) -> int:
    # A poisoned message still has the text with which it was queued.
    again = message_again if args.requeue == "failed" else str
    total = count_messages(source) or 0
    total = total if args.count is None else min(total, args.count)
    try:
        with tqdm(total=total, unit="message", disable=None) as bar:
            done = requeue(source, target, again=again, count=args.count, progress=bar.update)
    except KeyboardInterrupt:
        print(
            "Stopped. Messages in progress are visible again within "
            f"{HIDDEN_SECONDS // 60} minutes; none is lost.",
            file=sys.stderr,
        )
        return INTERRUPTED
    if args.json:
        print(json.dumps({"requeued": done.sent, "left": done.left}))
        return 0
    print(f"Put {done.sent:,} messages of {source.queue_name} back on {target.queue_name}.")
    if done.left:
        print(f"Left {done.left:,} there: they name no URL, so they would only fail again.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
