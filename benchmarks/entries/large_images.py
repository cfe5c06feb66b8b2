"""Measures ``DECODE=exact`` against ``fast`` on photos of 12 megapixels; compares the answers."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from benchmarks.data.synthetic_images import PHONE_SIZE, phone_photo
from benchmarks.data.workload import REAL_MODEL, Workload, all_models, open_workload, real_images
from benchmarks.entries.decode_agreement import LARGEST_DIFFERENCE, agreement_case, generated_photos
from benchmarks.harness.answer_checks import probability_difference
from benchmarks.harness.case import Case, Goal, Measured, WrongAnswer
from benchmarks.harness.statistics import Samples
from image_classifier import Classifier

EXACT, FAST = "DECODE=exact", "DECODE=fast"
PIXELS = "decode and preprocess, ms"
WHOLE = "image file to tags, ms"
BASELINE, PROGRESSIVE = "baseline JPEG", "progressive JPEG"
PHOTOS, QUICK_PHOTOS = 200, 6
FIXTURE_FOLDERS = ("catdog", "tutorial", "odd")
# All models classify the fixtures; a large photo takes a quarter of a second and more.
WITH_PHOTOS = (REAL_MODEL, "azsamples-fruits")
LEAST_RATIO = 3


@contextmanager
def cases(quick: bool) -> Iterator[list[Case]]:
    """Yields the times, and the agreement on both sets of images."""
    with (
        open_workload() as workload,
        all_models() as models,
        generated_photos(QUICK_PHOTOS if quick else PHOTOS) as photos,
    ):
        fixtures = real_images(FIXTURE_FOLDERS)
        if quick:
            fixtures = dict(list(fixtures.items())[::6])
        some = [model for model in models if model.model in WITH_PHOTOS] or models
        yield [
            large_case(workload, quick=quick),
            *([agreement_case("fixtures", models, fixtures)] if fixtures else []),
            agreement_case("generated photos", some, photos),
        ]


def large_case(workload: Workload, *, quick: bool, size: tuple[int, int] = PHONE_SIZE) -> Case:
    """The times; ``size`` is that of the photos."""
    images = {
        name: phone_photo(progressive=progressive, size=size)
        for name, progressive in ((BASELINE, False), (PROGRESSIVE, True))
    }
    classifiers = {
        name: workload.classifier(DECODE=name.partition("=")[2]) for name in (EXACT, FAST)
    }
    sizes = ", ".join(f"{name} {len(data) / 1e6:.1f} MB" for name, data in images.items())
    return Case(
        name="times",
        description=f"in process, a generated photo of {size[0]} x {size[1]} that EXIF data turn "
        f"upright ({sizes}); ONNX Runtime; {workload.description}",
        implementations={name: partial(_timed, one) for name, one in classifiers.items()},
        inputs=images,
        check=_check,
        rounds=2 if quick else 12,
        goals=tuple(
            Goal(
                f"{size[0] * size[1] / 1e6:.0f} megapixels, {kind}: {EXACT} / {FAST}, image file "
                "to tags",
                ">=",
                LEAST_RATIO,
                "x",
                partial(ratio, kind=kind, figure=WHOLE),
            )
            for kind in images
        ),
        notes=lambda samples: [
            f"{kind}: {FAST} is {ratio(samples, kind, PIXELS):.2f} times as quick up to the "
            f"graph's input, {ratio(samples, kind, WHOLE):.2f} times up to the tags."
            for kind in samples.inputs()
        ],
    )


def ratio(samples: Samples, kind: str, figure: str) -> float:
    """How many times as quick as exact decoding the fast one is, at the median."""
    return samples.median(EXACT, kind, figure) / samples.median(FAST, kind, figure)


def _timed(classifier: Classifier, data: bytes) -> Measured:
    started = time.perf_counter()
    prediction = classifier.classify_bytes(data)
    milliseconds = (time.perf_counter() - started) * 1000
    stages = dict(prediction.times.items())
    pixels = stages["decode"] + stages["preprocess"]
    return Measured(prediction.as_dict(), {PIXELS: pixels, WHOLE: milliseconds})


def _check(name: str, answers: Mapping[str, Any]) -> None:
    exact, fast = answers[EXACT], answers[FAST]
    difference = probability_difference(exact, fast)
    if (
        exact["predictedTagName"] != fast["predictedTagName"]
        or not difference <= LARGEST_DIFFERENCE
    ):
        raise WrongAnswer(f"{name}: {FAST} gives {fast}, {EXACT} {exact}")
