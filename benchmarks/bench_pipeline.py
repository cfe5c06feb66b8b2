"""In process: bytes of an image file in, tags out; the tutorial's way against ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from benchmarks.answers import check_probabilities, check_same_answer, check_same_tensor
from benchmarks.cases import MILLISECONDS, Case, Goal
from benchmarks.material import Material, material
from benchmarks.statistics import Samples
from benchmarks.tutorial_twin import TutorialTwin
from image_classifier import Classifier, Settings
from image_classifier.decode import decode
from image_classifier.preprocess import preprocess

TUTORIAL, OURS = "tutorial's way", "ours"


def settings_for(found: Material) -> dict[str, str]:
    """App settings: that model, on the tutorial's own runtime with its own default threads."""
    return {
        "MODELS_DIR": str(found.models_dir),
        "DEFAULT_MODEL": found.model,
        "ENGINE": "tensorflow",
        "ENGINE_THREADS": "0",
    }


def classifier_for(found: Material) -> Classifier:
    return Classifier(Settings.from_environ(settings_for(found)))


@contextmanager
def cases(quick: bool) -> Iterator[list[Case]]:
    with material(quick=quick) as found:
        classifier = classifier_for(found)
        yield [pipeline_case(found, classifier, classifier.classify_bytes, quick=quick)]


def pipeline_case(
    found: Material, classifier: Classifier, classify: Callable[[bytes], Any], *, quick: bool
) -> Case:
    """The comparison.

    Args:
        found: model and pictures.
        classifier: knows how the model is fed.
        classify: what is measured as ours.
        quick: one round.
    """
    twin = TutorialTwin(found.folder)

    def check(name: str, answers: Mapping[str, Any]) -> None:
        theirs, their_tensor = answers[TUTORIAL]
        ours = answers[OURS].as_dict()
        check_same_answer(f"{OURS}, {name}", ours, theirs)
        if name in found.expected:
            check_probabilities(f"{OURS}, {name}", ours, found.expected[name])
        image = decode(found.pictures[name], max_pixels=classifier.settings.max_image_pixels)
        contract = classifier.repository.get().load().engine.contract
        check_same_tensor(f"{OURS}, {name}", preprocess(image, contract), their_tensor)

    return Case(
        name="pipeline",
        about=f"in process, one picture at a time, {len(found.pictures)} pictures: {found.about}",
        implementations={TUTORIAL: twin.predict_with_tensor, OURS: classify},
        inputs=found.pictures,
        check=check,
        rounds=1 if quick else 5,
        each_input=False,
        goals=(Goal("throughput in process, ours / tutorial's way", ">=", 40, "x", throughput),),
        notes=_notes,
    )


def throughput(samples: Samples) -> float:
    """Pictures a second, ours over theirs; each picture counts with the median of its calls."""
    return _seconds_for_all(samples, TUTORIAL) / _seconds_for_all(samples, OURS)


def _seconds_for_all(samples: Samples, implementation: str) -> float:
    names = samples.inputs()
    return sum(samples.median(implementation, name, MILLISECONDS) for name in names) / 1000


def _notes(samples: Samples) -> list[str]:
    median = samples.median
    rates = [
        f"{name} {len(samples.inputs()) / _seconds_for_all(samples, name):.2f}"
        for name in (TUTORIAL, OURS)
    ]
    ratios = sorted(
        (median(TUTORIAL, name, MILLISECONDS) / median(OURS, name, MILLISECONDS), name)
        for name in samples.inputs()
    )
    (low, slowest), (high, quickest) = ratios[0], ratios[-1]
    return [
        f"Pictures a second: {', '.join(rates)}: {throughput(samples):.1f} times as many.",
        f"Picture by picture: {low:.1f} ({slowest}) to {high:.1f} times ({quickest}).",
        "Both sides: one process, one caller, the same TensorFlow with its default thread pools.",
    ]
