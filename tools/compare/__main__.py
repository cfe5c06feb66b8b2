"""Sends the same images to two endpoints, shows how far they agree, and writes the files."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from image_classifier.images.files import images_in
from tools.compare.addresses import Address, read_addresses
from tools.compare.answer_log import (
    ImageAnswers,
    has_answers,
    keep_answers,
    read_answers,
    write_answers,
)
from tools.compare.endpoint import Endpoint
from tools.compare.ground_truth import correctness_of
from tools.compare.options import KEYS, parser
from tools.compare.output_files import write_images, write_markdown
from tools.compare.plot import draw
from tools.compare.report import Run, sections, verdict
from tools.compare.sending import ImageSender
from tools.shared.command import run_command
from tools.shared.errors import ToolError
from tools.shared.progress import show_progress
from tools.shared.signals import INTERRUPTED

REPORT, PLOT, IMAGES = "comparison.md", "comparison.svg", "comparison.csv"
ANSWERS = "answers.jsonl"


def main(argv: Sequence[str] | None = None, *, pause: float = 1.0) -> int:
    """Compares; returns the exit status.

    Args:
        argv: the command line.
        pause: seconds before the second attempt at an image without an answer.
    """
    args = parser().parse_args(argv)

    def work() -> int:
        try:
            return _compare(args, pause)
        except OSError as exc:
            raise ToolError(f"{exc.filename or args.out}: {exc.strerror}.") from exc

    return run_command(work)


def _compare(args: argparse.Namespace, pause: float) -> int:
    addresses = read_addresses(args.endpoint, project=args.project, iteration=args.iteration)
    endpoints = _endpoints(addresses, os.environ)
    images = _images(args.folder, args.limit)
    shown = (addresses[0].shown, addresses[1].shown)
    earlier = _earlier(args, shown)
    print(f"A  {shown[0]}\nB  {shown[1]}", flush=True)
    for hint in _hints(endpoints):
        print(f"note: {hint}", file=sys.stderr)
    with keep_answers(args.out / ANSWERS, shown, earlier) as file:
        sender = ImageSender(
            endpoints,
            args.folder,
            images,
            lambda answers: write_answers(file, answers),
            rate=args.rate,
            threads=min(args.concurrency, len(images)),
            timeout=args.timeout,
            pause=pause,
            earlier={each.file: each for each in earlier},
        )
        interrupted = show_progress(sender, lambda: sender.done, total=len(images), unit="image")
    run = Run(
        shown=shown,
        folder=str(args.folder),
        images=sender.answers,
        planned=len(images),
        sent=(endpoints[0].sent, endpoints[1].sent),
        seconds=sender.seconds,
        top=args.top,
        correctness=correctness_of(sender.answers) if args.labelled else None,
        when=datetime.now(),
    )
    if run.images:
        _report(run, args.out, plot=bool(run.agreement.compared) and not args.no_plot)
    problem = sender.problem
    if problem is not None and not isinstance(problem, ToolError):
        raise problem
    if problem is not None:
        print(f"error: {problem}", file=sys.stderr)
    if run.images and (interrupted or problem is not None):
        instead = " in place of --overwrite" if args.overwrite else ""
        print(f"To go on: the same command with --resume{instead}", file=sys.stderr)
    return INTERRUPTED if interrupted else _status(run, problem, args.least_agreement)


def _endpoints(
    addresses: tuple[Address, Address], environ: Mapping[str, str]
) -> tuple[Endpoint, Endpoint]:
    keys = [environ.get(name, "").strip() for name in KEYS]
    for name, key in zip(KEYS, keys, strict=True):
        if not (key.isascii() and key.isprintable()):
            raise ToolError(f"{name} has characters that no key has. Copy it again.")
    return Endpoint("A", addresses[0], keys[0]), Endpoint("B", addresses[1], keys[1])


def _images(folder: Path, limit: int | None) -> list[Path]:
    if not folder.is_dir():
        raise ToolError(f"There is no folder {folder}. Name one that has images.")
    images = images_in(folder)
    if not images:
        raise ToolError(f"There are no images in {folder}.")
    if limit is None or limit >= len(images):
        return images
    return [images[number * len(images) // limit] for number in range(limit)]


def _earlier(args: argparse.Namespace, shown: tuple[str, str]) -> list[ImageAnswers]:
    """Reads the answers of an earlier run, or makes the folder for new ones."""
    path = args.out / ANSWERS
    if args.resume:
        return read_answers(path, shown)
    if has_answers(path) and not args.overwrite:
        raise ToolError(
            f"{args.out} has the answers of an earlier run. Go on with that one (--resume), "
            "replace it (--overwrite), or name another folder (--out)."
        )
    args.out.mkdir(parents=True, exist_ok=True)
    return []


def _hints(endpoints: tuple[Endpoint, Endpoint]) -> list[str]:
    hints = []
    for endpoint in endpoints:
        address = endpoint.address
        if address.stores and not address.is_local:
            hints.append(
                f"if {endpoint.name} is Custom Vision's cloud, it stores each image that is "
                "sent to …/image. It does not at …/image/nostore."
            )
        if endpoint.key and not address.is_encrypted and not address.is_local:
            hints.append(
                f"the key of {endpoint.name} and all images go there unencrypted. Use https://."
            )
    return hints


def _report(run: Run, out: Path, *, plot: bool) -> None:
    for section in sections(run):
        print(f"\n{section.title}\n\n{section.text}")
    if plot:
        try:
            draw(run, out / PLOT)
        except ToolError as exc:
            plot = False
            print(f"note: {exc}", file=sys.stderr)
    write_markdown(out / REPORT, run, plot=PLOT if plot else None)
    write_images(out / IMAGES, run)
    files = [REPORT, *([PLOT] if plot else []), IMAGES, ANSWERS]
    print(f"\nAll of it is in {out}: {', '.join(files)}\n")
    print(verdict(run.agreement), flush=True)


def _status(run: Run, problem: Exception | None, least: float | None) -> int:
    agreement = run.agreement
    if problem is not None or not agreement.compared:
        return 1
    if least is not None and agreement.kept < least:
        print(
            f"B says the same as A on {agreement.kept:.4f} of the images that A answered, and "
            f"--least-agreement is {least:g}.",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
