"""Classifies from the command line: ``python -m image_classifier IMAGE_OR_URL_OR_FOLDER…``."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from image_classifier.classifier import Classifier
from image_classifier.errors import ClassifierError, InvalidRequest, SettingsError
from image_classifier.images.files import images_in
from image_classifier.results import Prediction
from image_classifier.settings import Settings

_LONGEST_TABLE_NAME = 48


def main(argv: Sequence[str] | None = None) -> int:
    """Classifies all given images; returns 1 if any failed, else 0."""
    args = _parser().parse_args(argv)
    # The user is the developer, as in the local host: no key is needed, and private addresses stay
    # closed unless FETCH_ALLOW_PRIVATE_ADDRESSES opens them.
    environ = {"AZURE_FUNCTIONS_ENVIRONMENT": "Development", **os.environ}
    try:
        classifier = Classifier(Settings.from_environ(environ))
        images = list(_expand(args.images))
    except (SettingsError, OSError) as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1
    if not images:
        print(f"error: no images in {', '.join(args.images)}", file=sys.stderr)
        return 1
    show = _as_json_line if args.json else _Table(images).line
    failed = 0
    for image in _with_progress(images) if len(images) > 1 else images:
        result = _classify(classifier, image, args)
        failed += isinstance(result, ClassifierError)
        _write(show(image, result))
    if failed:
        print(f"{failed} of {len(images)} images failed.", file=sys.stderr)
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m image_classifier",
        description="Classify images: files, http(s) URLs, or folders of them.",
    )
    parser.add_argument("images", nargs="+", metavar="IMAGE_OR_URL_OR_FOLDER")
    parser.add_argument("--model", help="name of the model (default: DEFAULT_MODEL or the demo)")
    parser.add_argument("--version", type=int, help="version of the model (default: the highest)")
    parser.add_argument(
        "--json", action="store_true", help="one JSON object a line: the web API's answer + image"
    )
    return parser


def _expand(names: Sequence[str]) -> Iterator[str]:
    """Replaces folders by the images in them, at any depth, sorted by path."""
    for name in names:
        if not _is_url(name) and Path(name).is_dir():
            yield from map(str, images_in(Path(name)))
        else:
            yield name


def _is_url(name: str) -> bool:
    return "://" in name


def _classify(
    classifier: Classifier, image: str, args: argparse.Namespace
) -> Prediction | ClassifierError:
    try:
        if _is_url(image):
            return classifier.classify_url(image, model=args.model, version=args.version)
        data = Path(image).read_bytes()
        return classifier.classify_bytes(data, model=args.model, version=args.version)
    except OSError as exc:
        return InvalidRequest(f"{image} cannot be read: {exc.strerror}.")
    except ClassifierError as exc:
        return exc


def _as_json_line(image: str, result: Prediction | ClassifierError) -> str:
    body: dict[str, Any] = {"image": image}
    if isinstance(result, ClassifierError):
        body["error"] = {"code": result.code, "message": result.message}
    else:
        body |= result.as_dict()
    return json.dumps(body, ensure_ascii=False)


class _Table:
    """Writes the lines of a table as answers arrive; the first column fits the names."""

    def __init__(self, images: Sequence[str]) -> None:
        self._width = min(_LONGEST_TABLE_NAME, max(map(len, images)))

    def line(self, image: str, result: Prediction | ClassifierError) -> str:
        name = image if len(image) <= self._width else "…" + image[1 - self._width :]
        if isinstance(result, ClassifierError):
            return f"{name:<{self._width}}  error    {result.message}"
        best = sorted(result.tags, key=lambda tag: -tag.probability)[:3]
        if not best:
            return f"{name:<{self._width}}  (no tag)"
        shown = [f"{tag.tag_name} {tag.probability:.1%}" for tag in best]
        others = [words for words in shown[1:] if not words.endswith(" 0.0%")]
        return f"{name:<{self._width}}  {shown[0]}" + (
            f"   ({', '.join(others)})" if others else ""
        )


def _with_progress(images: list[str]) -> Any:
    """Shows a progress bar on standard error if it is a terminal and tqdm is installed."""
    if not sys.stderr.isatty():
        return images
    try:
        from tqdm import tqdm
    except ImportError:  # a development tool, which is not deployed
        return images
    return tqdm(images, unit="image", leave=False)


def _write(line: str) -> None:
    try:
        from tqdm import tqdm
    except ImportError:
        print(line, flush=True)
    else:
        tqdm.write(line, file=sys.stdout)  # keeps the bar below the lines
        sys.stdout.flush()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
