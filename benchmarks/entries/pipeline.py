"""Measures classification in process, file to tags, against the tutorial's way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from benchmarks.baselines.tutorial import TutorialTwin
from benchmarks.data.synthetic_images import jpeg
from benchmarks.data.workload import Workload, open_workload
from benchmarks.harness.answer_checks import (
    check_probabilities,
    check_same_answer,
    check_same_tensor,
)
from benchmarks.harness.case import MILLISECONDS, Case, Goal
from benchmarks.harness.statistics import Samples
from image_classifier import Classifier
from image_classifier.images.decode import decode
from image_classifier.images.preprocess import preprocess

TUTORIAL, TENSORFLOW, ONNX = "tutorial's way", "ours, TensorFlow", "ours, ONNX Runtime"

Ours = Mapping[str, Callable[[bytes], Any]]


@contextmanager
def cases(quick: bool) -> Iterator[list[Case]]:
    """Yields all images together, and one JPEG by itself."""
    with open_workload(quick=quick) as workload:
        classifier = workload.classifier("tensorflow")
        ours = {
            TENSORFLOW: classifier.classify_bytes,
            ONNX: workload.classifier("onnx").classify_bytes,
        }
        all_images = pipeline_case(workload, classifier, ours, rounds=1 if quick else 2)
        one = replace(workload, images={"600x600.jpg": jpeg(600, 600)}, expected={})
        alone = pipeline_case(one, classifier, ours, rounds=2 if quick else 15)
        yield [
            replace(all_images, goals=(faster(TENSORFLOW, 40, "all images"),)),
            replace(alone, name="pipeline, 600 x 600", goals=(faster(ONNX, 60, "600 x 600 JPEG"),)),
        ]


def faster(who: str, least: float, what: str) -> Goal:
    """Makes the promise of a multiple of the tutorial's throughput."""
    text = f"in process, {what}: answers a second, {who} / {TUTORIAL}"
    return Goal(text, ">=", least, "x", partial(throughput, who=who))


def pipeline_case(workload: Workload, classifier: Classifier, ours: Ours, *, rounds: int) -> Case:
    """Makes the comparison.

    Args:
        workload: model and images.
        classifier: knows the model's input.
        ours: the implementations to compare with the tutorial's way, by name.
        rounds: how often each gets each image.
    """
    twin = TutorialTwin(workload.folder)

    def check(name: str, answers: Mapping[str, Any]) -> None:
        theirs, their_tensor = answers[TUTORIAL]
        for who in ours:
            answer = answers[who].as_dict()
            check_same_answer(f"{who}, {name}", answer, theirs)
            if name in workload.expected:
                check_probabilities(f"{who}, {name}", answer, workload.expected[name])
        image = decode(workload.images[name], max_pixels=classifier.settings.max_image_pixels)
        input_spec = classifier.repository.get().load().engine.input_spec
        check_same_tensor(f"ours, {name}", preprocess(image, input_spec), their_tensor)

    images = len(workload.images)
    return Case(
        name="pipeline",
        description="in process, one image at a time, each engine with its default threads; "
        f"{images} image{'s' if images > 1 else ''}: {workload.description}",
        implementations={TUTORIAL: twin.predict_with_tensor, **ours},
        inputs=workload.images,
        check=check,
        rounds=rounds,
        each_input=images == 1,
        notes=_notes,
    )


def throughput(samples: Samples, who: str) -> float:
    """Images a second, ours over theirs; each image counts with the median of its calls."""
    return _seconds_for_all(samples, TUTORIAL) / _seconds_for_all(samples, who)


def _seconds_for_all(samples: Samples, implementation: str) -> float:
    names = samples.inputs()
    return sum(samples.median(implementation, name, MILLISECONDS) for name in names) / 1000


def _notes(samples: Samples) -> list[str]:
    names = sorted(samples.implementations(), key=lambda who: who != TUTORIAL)
    rates = [f"{who} {len(samples.inputs()) / _seconds_for_all(samples, who):.2f}" for who in names]
    return [
        f"Images a second: {'; '.join(rates)}.",
        *(_ratios(samples, who) for who in names if who != TUTORIAL),
    ]


def _ratios(samples: Samples, who: str) -> str:
    ratios = sorted(
        (
            samples.median(TUTORIAL, name, MILLISECONDS) / samples.median(who, name, MILLISECONDS),
            name,
        )
        for name in samples.inputs()
    )
    (low, slowest), (high, quickest) = ratios[0], ratios[-1]
    text = f"{who}: {throughput(samples, who):.1f} times as many as the tutorial's way"
    if len(ratios) == 1:
        return f"{text}."
    return f"{text}; image by image {low:.1f} ({slowest}) to {high:.1f} times ({quickest})."
