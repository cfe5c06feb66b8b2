"""Defines the options of the command."""

from __future__ import annotations

import argparse
from pathlib import Path

from tools.compare.addresses import EXAMPLE

__all__ = ["KEYS", "parser"]

OUT = "comparison"
RATE = 5.0
THREADS = 4
TOP = 10
TIMEOUT_SECONDS = 60.0
# Names of environment variables.
KEYS = ("PREDICTION_KEY_A", "PREDICTION_KEY_B")


def parser() -> argparse.ArgumentParser:
    """Makes the parser of the command line."""
    options = argparse.ArgumentParser(
        prog="python -m tools.compare",
        description="Send the same images to two endpoints of the Custom Vision prediction API, "
        "such as the cloud's and this app's, and show how far their answers agree.",
        epilog=f"Keys come from the environment: {KEYS[0]} and {KEYS[1]}, each for its endpoint, "
        "sent as Prediction-Key. They are not options, because everybody on a machine can see its "
        "command lines.",
    )
    options.add_argument("folder", type=Path, metavar="FOLDER", help="of images, at any depth")
    options.add_argument(
        "--endpoint",
        action="append",
        default=[],
        metavar="URL",
        help="twice, first the reference (A), then the other (B): a prediction URL as the portal "
        f"shows it ({EXAMPLE}), or an address alone (http://localhost:7071), which takes project "
        "and published name from the other one, or from --project and --iteration, and is asked "
        "to store no images (/nostore)",
    )
    options.add_argument("--project", metavar="ID", help="of an endpoint that is an address alone")
    options.add_argument("--iteration", metavar="NAME", help="its published name")
    options.add_argument("--limit", type=_natural, help="so many images, evenly spread")
    options.add_argument(
        "--labelled",
        action="store_true",
        help="FOLDER has a folder for each tag, named like it: count right answers",
    )
    options.add_argument(
        "--rate",
        type=_positive,
        default=RATE,
        help=f"images a second at most (default: {RATE:g}; the cloud's free tier takes 2)",
    )
    options.add_argument(
        "--concurrency",
        type=_threads,
        default=THREADS,
        metavar="N",
        help=f"images that are sent at once (default: {THREADS})",
    )
    options.add_argument(
        "--timeout",
        type=_positive,
        default=TIMEOUT_SECONDS,
        metavar="SECONDS",
        help=f"for a reply (default: {TIMEOUT_SECONDS:g})",
    )
    options.add_argument(
        "--top", type=_natural, default=TOP, metavar="N", help=f"images in a list ({TOP})"
    )
    options.add_argument(
        "--out", type=Path, default=Path(OUT), metavar="FOLDER", help=f"for the files ({OUT})"
    )
    options.add_argument("--no-plot", action="store_true", help="write no comparison.svg")
    begun = options.add_mutually_exclusive_group()
    begun.add_argument(
        "--resume", action="store_true", help="keep the answers that --out has, ask for the rest"
    )
    begun.add_argument("--overwrite", action="store_true", help="replace what --out has")
    options.add_argument(
        "--least-agreement",
        type=_share,
        metavar="SHARE",
        help="exit with 1 if B has the same top tag on less than this share of the images that "
        "A answered, such as 0.99",
    )
    return options


def _natural(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= 10**9:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 1 or more")
    return int(text)


def _threads(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= 64:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 64")
    return int(text)


def _positive(text: str) -> float:
    value = _number(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return value


def _share(text: str) -> float:
    value = _number(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share, a number above 0 and up to 1")
    return value


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
