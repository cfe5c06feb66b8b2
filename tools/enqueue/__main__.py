"""Checks the source, fills the queue, and prints the result and how to continue."""

from __future__ import annotations

import argparse
import itertools
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

from azure.storage.queue import QueueClient

from tools.enqueue.sending import Sender
from tools.enqueue.sources import (
    Source,
    from_file,
    from_folder,
    from_samples,
    from_stream,
    messages,
)
from tools.shared.command import run_command
from tools.shared.errors import ToolError
from tools.shared.progress import show_progress
from tools.shared.queue_client import (
    add_connection,
    count_messages,
    create_queue,
    open_queue,
    sending_url,
)
from tools.shared.signals import INTERRUPTED

GENERATED = 100
THREADS = 16


def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0, or 1 with a sentence on standard error; 130 after Ctrl+C."""
    parser = _parser()
    args = parser.parse_args(argv)
    return run_command(lambda: _enqueue(args, parser))


def _enqueue(args: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    source = _source(args)
    queue = open_queue(args.queue, setting=args.connection)
    if create_queue(queue):
        print(f"Made the queue {args.queue}.", flush=True)
    sender = Sender(
        sending_url(queue),
        _texts(source, args),
        threads=args.senders,
        rate=args.rate,
        room=_room(queue, args.keep_below),
    )
    interrupted = _fill(sender, args.queue, args.run, _total(source, args))
    if sender.problem is not None:
        print(f"error: {sender.problem}", file=sys.stderr)
    if interrupted or sender.problem is not None:
        print(f"To go on: {_resume(sender.sent_in_a_row, args, parser)}", file=sys.stderr)
    return INTERRUPTED if interrupted else int(sender.problem is not None)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.enqueue",
        description="Put images on the queue that the function classify_queue reads.",
        epilog="The queue is the one of the setting AzureWebJobsStorage, from the environment or "
        "local.settings.json.",
    )
    parser.add_argument(
        "source",
        nargs="?",
        help="a file with a URL or a JSON object on each line (# starts a comment), - for standard "
        "input, or a folder of images that the local host serves (--images FOLDER)",
    )
    parser.add_argument(
        "--generate",
        action="store_true",
        help="repeat the source until --count (default: the local host's samples, "
        f"{GENERATED} of them)",
    )
    parser.add_argument("--count", type=_natural, help="the most images")
    parser.add_argument("--rate", type=_positive, help="the most images a second")
    parser.add_argument(
        "--keep-below",
        type=_positive_number,
        metavar="N",
        help="wait while the queue holds N or more; thousands of messages slow the emulator down",
    )
    parser.add_argument("--model", help="for images whose line names none (default: the app's)")
    parser.add_argument("--queue", default="images", help="default: images")
    add_connection(parser)
    parser.add_argument(
        "--base-url",
        default="http://localhost:7071",
        type=lambda text: text.rstrip("/"),
        help="where the local host serves images (default: http://localhost:7071)",
    )
    parser.add_argument(
        "--run", default=f"{datetime.now():%Y%m%d-%H%M%S}", help="the beginning of the ids"
    )
    parser.add_argument(
        "--skip", type=_natural, default=0, help="leave out so many images at the start"
    )
    parser.add_argument(
        "--senders", type=_threads, default=THREADS, help=f"threads that send ({THREADS})"
    )
    return parser


def _natural(text: str) -> int:
    if not text.isdecimal() or len(text) > 12:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 0 or more")
    return int(text)


def _positive_number(text: str) -> int:
    if _natural(text) == 0:
        raise argparse.ArgumentTypeError("it must be 1 or more")
    return int(text)


def _threads(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= 256:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 256")
    return int(text)


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return value


def _source(args: argparse.Namespace) -> Source:
    if args.generate and args.count is None:
        args.count = GENERATED
    if args.source is None:
        if not args.generate:
            raise ToolError(
                "Name a file of URLs, a folder of images or - for standard input; or let "
                "--generate queue the local host's samples."
            )
        return from_samples(args.base_url)
    if args.source == "-":
        return from_stream(sys.stdin.buffer)
    path = Path(args.source)
    return from_folder(path, args.base_url) if path.is_dir() else from_file(path)


def _texts(source: Source, args: argparse.Namespace) -> Iterator[str]:
    bodies = itertools.cycle(source.read()) if args.generate else source.read()
    last = None if args.count is None else args.skip + args.count
    return itertools.islice(messages(bodies, run=args.run, model=args.model), args.skip, last)


def _room(queue: QueueClient, most: int | None) -> Callable[[], int] | None:
    return None if most is None else lambda: most - (count_messages(queue) or 0)


def _total(source: Source, args: argparse.Namespace) -> int | None:
    """The number of images to queue; None if it is unknown."""
    if args.generate or source.total is None:
        return int(args.count) if args.generate else None
    left: int = max(0, source.total - args.skip)
    return left if args.count is None else min(left, args.count)


def _fill(sender: Sender, queue: str, run: str, total: int | None) -> bool:
    """Sends all messages behind a progress bar; returns whether Ctrl+C stopped it."""
    started = time.monotonic()
    interrupted = show_progress(sender, lambda: sender.sent, total=total, unit="image")
    seconds = time.monotonic() - started
    print(
        f"Queued {sender.sent:,} images on {queue} in {seconds:.1f} s "
        f"({sender.sent / seconds:,.0f} a second). This is the run {run}.",
        flush=True,
    )
    return interrupted


def _resume(done: int, args: argparse.Namespace, parser: argparse.ArgumentParser) -> str:
    """The command that queues the rest, with the same ids."""
    parts = ["python", "-m", "tools.enqueue"]
    parts += [args.source] if args.source else []
    parts += ["--generate"] if args.generate else []
    for name in ("model", "rate", "keep_below", "queue", "connection", "base_url", "senders"):
        value = getattr(args, name)
        if value != parser.get_default(name):
            parts += [f"--{name.replace('_', '-')}", f"{value:g}" if name == "rate" else str(value)]
    if args.count is not None:
        parts += ["--count", str(args.count - done)]
    parts += ["--run", args.run, "--skip", str(args.skip + done)]
    return shlex.join(parts)


if __name__ == "__main__":
    sys.exit(main())
