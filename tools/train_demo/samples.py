"""Draws the page's sample images of held-out digits, as people would send them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.train_demo.data import Digit
from tools.train_demo.draw_digits import Style, draw

__all__ = ["SAMPLES", "Sample", "write_samples"]


@dataclass(frozen=True)
class Sample:
    """One image of the page.

    Attributes:
        file: its name.
        alt: the text for screen readers.
        index: the digit's place in scikit-learn's data; it must be a held-out one.
        style: how it is drawn.
    """

    file: str
    alt: str
    index: int
    style: Style


SAMPLES = (
    Sample(
        "seven.png",
        "A handwritten seven, blue ink on white paper",
        413,
        Style(ink=(28, 49, 140), pen=0.09),
    ),
    Sample(
        "three.png",
        "A handwritten three, white chalk on a green board",
        1332,
        Style(ink=(240, 240, 232), paper=(38, 78, 62), pen=0.08, angle=-5),
    ),
    Sample(
        "five.png",
        "A handwritten five, thick teal felt pen on white paper",
        1776,
        Style(ink=(0, 124, 128), pen=0.15, slant=0.1),
    ),
    Sample(
        "four.jpg",
        "A photo of a handwritten four, pencil on cream paper in uneven light",
        1053,
        Style(
            size=(1200, 900),
            ink=(66, 62, 70),
            paper=(247, 238, 219),
            pen=0.06,
            scale=0.62,
            shift=(0.04, -0.02),
            shade=0.35,
            noise=3,
        ),
    ),
    Sample(
        "two.png",
        "A handwritten two, red ink on pale yellow paper",
        372,
        Style(ink=(196, 30, 44), paper=(255, 247, 214), pen=0.07, scale=0.6, shift=(-0.06, 0.04)),
    ),
    Sample(
        "eight.png",
        "A handwritten eight, orange on dark blue",
        768,
        Style(ink=(255, 159, 28), paper=(20, 33, 61), pen=0.1),
    ),
    Sample(
        "six.png",
        "A handwritten six, black brush on white paper",
        1261,
        Style(ink=(10, 10, 10), level=0.4, angle=6),
    ),
    Sample(
        "nine.png",
        "A small handwritten nine, purple ink on grey paper",
        293,
        Style(ink=(98, 40, 128), paper=(226, 226, 230), pen=0.1, scale=0.5, shift=(0.05, 0.03)),
    ),
)


def write_samples(folder: Path, held_out: Sequence[Digit]) -> None:
    """Draws the images and writes samples.json, which the page reads."""
    digits = {digit.index: digit for digit in held_out}
    folder.mkdir(parents=True, exist_ok=True)
    entries = []
    for sample in SAMPLES:
        digit = digits[sample.index]
        image = draw(digit.shape, sample.style)
        image.save(folder / sample.file, optimize=True, quality=75)
        entries.append({"file": sample.file, "alt": sample.alt, "label": str(digit.label)})
    text = ",\n".join(f"  {json.dumps(entry)}" for entry in entries)
    (folder / "samples.json").write_text(f"[\n{text}\n]\n", "utf-8", newline="\n")
