"""Compares the answers with ``DECODE=fast`` and ``exact``, on real and on generated images."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks import ROOT
from benchmarks.data.synthetic_images import varied_photo
from benchmarks.data.workload import Workload, real_images
from benchmarks.harness.answer_checks import probabilities, probability_difference
from benchmarks.harness.case import Case, Goal, Measured
from benchmarks.harness.statistics import Samples
from image_classifier.images.files import images_in

LARGEST_DIFFERENCE = 0.02
DIFFERENCE = "largest difference of a probability"
SUBJECTS = ("catdog", "tutorial")
# Upper bounds of the differences that the notes count.
STEPS = (0.0, 1e-4, 1e-3, 5e-3, LARGEST_DIFFERENCE)


@contextmanager
def generated_photos(count: int) -> Iterator[dict[str, Path]]:
    """Yields so many photos as files, which are deleted at the end."""
    with tempfile.TemporaryDirectory(prefix="benchmark-photos-") as folder:
        yield generate(Path(folder), count)


def generate(folder: Path, count: int) -> dict[str, Path]:
    """Writes photos; those of a lower number are the same whatever the count."""
    files = list(real_images(SUBJECTS).values()) or images_in(ROOT / "frontend" / "samples")
    subjects = [Image.open(file).convert("RGB") for file in files]
    names = {f"photo {number}": folder / f"{number:04}.jpg" for number in range(count)}

    def write(number: int) -> None:
        names[f"photo {number}"].write_bytes(varied_photo(number, subjects))

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(write, range(count)))
    return names


def agreement_case(what: str, models: Sequence[Workload], images: Mapping[str, Path]) -> Case:
    """Classifies every image with every model in both modes; the time is not measured.

    Args:
        what: the kind of images, for the report.
        models: each answers for each image.
        images: by name.
    """
    seen: dict[str, dict[str, float]] = {}
    disagreeing: list[str] = []

    def compare(model: Workload, _: object) -> Measured:
        differences = {}
        for image, difference, tops in _compared(model, images):
            differences[image] = difference
            if tops is not None:
                disagreeing.append(f"{model.model}, {image}: {tops}")
        seen[model.model] = differences
        return Measured(None, {DIFFERENCE: list(differences.values())})

    def notes(samples: Samples) -> list[str]:
        lines = [_distribution(model, differences) for model, differences in seen.items()]
        return [*lines, *(f"Another top tag: {line}." for line in disagreeing)]

    return Case(
        name=f"agreement, {what}",
        description="the answer with DECODE=fast beside that with DECODE=exact, ONNX Runtime, for "
        "each model and image; the difference is that of the tag where it is largest",
        implementations={one.model: partial(compare, one) for one in models},
        inputs={f"{len(images)} {what}": None},
        check=lambda name, answers: None,  # agreement is the figure itself
        rounds=1,
        warm_up_rounds=0,
        goals=(
            Goal(
                f"{what} whose top tag is another with DECODE=fast",
                "<=",
                0,
                "",
                lambda samples: len(disagreeing),
            ),
            Goal(
                f"{what}: largest difference of a probability, DECODE=fast and exact",
                "<=",
                LARGEST_DIFFERENCE,
                "",
                lambda samples: max(samples.summary(*key).largest for key in samples.series()),
            ),
        ),
        notes=notes,
    )


def _compared(model: Workload, images: Mapping[str, Path]) -> list[tuple[str, float, str | None]]:
    """Lists image, largest difference, and both top tags as text if they are not the same."""
    exact, fast = (model.classifier(DECODE=mode) for mode in ("exact", "fast"))

    def one(name: str) -> tuple[str, float, str | None]:
        data = images[name].read_bytes()
        right, other = (each.classify_bytes(data).as_dict() for each in (exact, fast))
        same = right["predictedTagName"] == other["predictedTagName"]
        words = None if same else f"{_top(right)} with exact, {_top(other)} with fast"
        return name, probability_difference(right, other), words

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(one, images))


def _top(answer: Mapping[str, Any]) -> str:
    tag = answer["predictedTagName"]
    return f"{tag} ({probabilities(answer).get(tag, 0.0):.2g})"


def _distribution(model: str, differences: Mapping[str, float]) -> str:
    """Counts the images by their difference."""
    counts = []
    for low, high in zip((-1.0, *STEPS), (*STEPS, float("inf")), strict=True):
        count = sum(low < difference <= high for difference in differences.values())
        if count:
            words = "equal" if high == 0 else f"up to {high:g}"
            counts.append(f"{count} {words if high < float('inf') else f'more than {low:g}'}")
    worst = max(differences, key=lambda image: differences[image])
    return f"{model}: {', '.join(counts)}; largest {differences[worst]:.2g} ({worst})."
