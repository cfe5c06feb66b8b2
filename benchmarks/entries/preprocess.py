"""In process: a decoded image in, the graph's tensor out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.baselines.tutorial import tensor_of
from benchmarks.data.synthetic_images import photo
from benchmarks.harness.answer_checks import check_same_tensor
from benchmarks.harness.case import MILLISECONDS, Case, Goal
from image_classifier.images.preprocess import preprocess
from image_classifier.model_files.input_spec import InputSpec

SIZE = 227  # of all Custom Vision exports of which the real files are known
CONTRACT = InputSpec(input_name="Placeholder:0", output_name="loss:0", height=SIZE, width=SIZE)
SIZES = ((600, 600), (1200, 900), (4000, 3000))
OURS = "ours"


@contextmanager
def cases(quick: bool) -> Iterator[list[Case]]:
    yield [preprocess_case(partial(preprocess, input_spec=CONTRACT), quick=quick)]


def preprocess_case(ours: Callable[[Image.Image], NDArray[np.float32]], *, quick: bool) -> Case:
    """The measurement; ``ours`` is what is measured."""
    images = {f"{width} x {height}": photo(width, height) for width, height in SIZES}
    references: dict[str, NDArray[np.float32]] = {}

    def check(name: str, answers: Mapping[str, Any]) -> None:
        if name not in references:
            references[name] = tensor_of(images[name], SIZE)
        check_same_tensor(f"{OURS}, {name}", answers[OURS], references[name])

    return Case(
        name="preprocess",
        about=f"in process: a decoded RGB image to a tensor of {SIZE} x {SIZE} x 3",
        implementations={OURS: ours},
        inputs=images,
        check=check,
        rounds=3 if quick else 50,
        goals=(
            Goal(
                "preprocessing of a 600 x 600 image",
                "<",
                3,
                "ms",
                lambda samples: samples.median(OURS, "600 x 600", MILLISECONDS),
            ),
        ),
    )
