"""Measures the accuracy on held-out digits as callers see it, from the image file to the digit."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from image_classifier.images.decode import decode
from image_classifier.images.preprocess import preprocess
from tools.train_demo.data import Digit
from tools.train_demo.draw_digits import Style, draw
from tools.train_demo.freeze import INPUT_SPEC

__all__ = ["VARIANTS", "FrozenGraph", "Score", "Variant", "encode", "score"]

MAX_PIXELS = 50_000_000
BATCH = 40


@dataclass(frozen=True)
class Variant:
    """One way in which people send digits.

    Attributes:
        name: for the model card.
        style: how the digit is drawn; ``random`` may change it from digit to digit.
        random: makes the style of one digit from the style above and a generator.
        jpeg: quality of the JPEG file, None for PNG.
        pen_only: leaves out digits whose centre line cannot be read.
        count: the most digits, because large images take long; None for all.
    """

    name: str
    style: Style
    random: Callable[[Style, np.random.Generator], Style] | None = None
    jpeg: int | None = None
    pen_only: bool = False
    count: int | None = None


@dataclass(frozen=True)
class Score:
    """The number of images of a variant that were classified correctly.

    Attributes:
        variant: its name.
        right: the number of correct answers.
        total: the number of images.
    """

    variant: str
    right: int
    total: int

    @property
    def accuracy(self) -> float:
        """The share of correct answers, 0 to 1."""
        return self.right / self.total


def _any_colours(style: Style, rng: np.random.Generator) -> Style:
    light = rng.integers(170, 256, 3)
    dark = rng.integers(0, 110, 3)
    ink, paper = (dark, light) if rng.random() < 0.5 else (light, dark)
    return replace(style, ink=_colour(ink), paper=_colour(paper))


def _any_place(style: Style, rng: np.random.Generator) -> Style:
    return replace(style, shift=(float(rng.uniform(-0.1, 0.1)), float(rng.uniform(-0.1, 0.1))))


def _any_angle(style: Style, rng: np.random.Generator) -> Style:
    return replace(style, angle=float(rng.uniform(-12, 12)))


def _colour(values: NDArray[np.int64]) -> tuple[int, int, int]:
    return int(values[0]), int(values[1]), int(values[2])


_SMALL = Style(size=(300, 300))
VARIANTS: tuple[Variant, ...] = (
    Variant("marker, dark on white, 600 x 600 PNG", Style()),
    Variant("marker, white on black", replace(_SMALL, ink=(255,) * 3, paper=(0,) * 3)),
    Variant("marker, any light and dark colours", _SMALL, random=_any_colours),
    Variant("marker, thick strokes", replace(_SMALL, level=0.3)),
    Variant("blurred, as the data is", replace(_SMALL, level=0.5, blur=1.0)),
    Variant("pen, medium strokes (9 % of the height)", replace(_SMALL, pen=0.09), pen_only=True),
    Variant("pen, thin strokes (5 % of the height)", replace(_SMALL, pen=0.05), pen_only=True),
    Variant("moved by up to 10 %", _SMALL, random=_any_place),
    Variant("turned by up to 12 degrees", _SMALL, random=_any_angle),
    Variant("small: 45 % of the image's height", replace(_SMALL, scale=0.45)),
    Variant("large: 88 % of the image's height", replace(_SMALL, scale=0.88)),
    Variant("JPEG, quality 30", _SMALL, jpeg=30),
    Variant("100 x 100 PNG", replace(_SMALL, size=(100, 100))),
    Variant("landscape, 640 x 360 PNG", replace(_SMALL, size=(640, 360))),
    Variant("portrait, 360 x 640 PNG", replace(_SMALL, size=(360, 640))),
    Variant("2000 x 1500 PNG", replace(_SMALL, size=(2000, 1500)), count=20),
    Variant(
        "like a photo: 800 x 600 JPEG, uneven light, grain",
        Style(size=(800, 600), ink=(40, 50, 110), paper=(235, 230, 215), shade=0.35, noise=8),
        jpeg=75,
        count=120,
    ),
    Variant("beyond its limits: 30 % of the image's height", replace(_SMALL, scale=0.3)),
    Variant("beyond its limits: turned by 30 degrees", replace(_SMALL, angle=30)),
)


class FrozenGraph:
    """A frozen graph in a TensorFlow session; a context manager.

    Args:
        graph_def: the bytes of the graph.
    """

    def __init__(self, graph_def: bytes) -> None:
        import tensorflow as tf

        definition = tf.compat.v1.GraphDef.FromString(graph_def)
        with tf.Graph().as_default() as graph:
            tf.import_graph_def(definition, name="")
        self._session: Any = tf.compat.v1.Session(graph=graph)

    def __enter__(self) -> FrozenGraph:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def run(self, tensors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Runs images, float32 [n, 224, 224, 3], and returns probabilities, float32 [n, 10]."""
        feed = {INPUT_SPEC.input_name: tensors}
        output: NDArray[np.float32] = self._session.run(INPUT_SPEC.output_name, feed)
        return output


def encode(image: Image.Image, jpeg: int | None) -> bytes:
    """Encodes an image as the file that a caller would send."""
    file = io.BytesIO()
    if jpeg is None:
        image.save(file, "PNG", compress_level=1)
    else:
        image.save(file, "JPEG", quality=jpeg)
    return file.getvalue()


def score(graph: FrozenGraph, digits: Sequence[Digit], variant: Variant) -> Score:
    """Draws, encodes, decodes, preprocesses and classifies every digit."""
    digits = [digit for digit in digits if digit.has_pen or not variant.pen_only][: variant.count]
    right = 0
    for start in range(0, len(digits), BATCH):
        batch = digits[start : start + BATCH]
        tensors = np.stack(list(_tensors(batch, variant)))
        best = graph.run(tensors).argmax(axis=1)
        right += int((best == [digit.label for digit in batch]).sum())
    return Score(variant.name, right, len(digits))


def _tensors(digits: Sequence[Digit], variant: Variant) -> Iterator[NDArray[np.float32]]:
    for digit in digits:
        style = variant.style
        if variant.random:
            style = variant.random(style, np.random.default_rng(digit.index))
        file = encode(draw(digit.shape, style, seed=digit.index), variant.jpeg)
        yield preprocess(decode(file, max_pixels=MAX_PIXELS), INPUT_SPEC)
