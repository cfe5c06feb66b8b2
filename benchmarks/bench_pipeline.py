"""In process: bytes of an image file in, tags out; the tutorial's way against ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from benchmarks.answers import check_probabilities, check_same_answer, check_same_tensor
from benchmarks.cases import MILLISECONDS, Case, Goal
from benchmarks.material import Material, material
from benchmarks.statistics import Samples
from benchmarks.tutorial_twin import TutorialTwin
from image_classifier import Classifier, Settings
from image_classifier.decode import decode
from image_classifier.preprocess import preprocess
from tools.convert.graphs import read_model
from tools.convert.onnx_file import convert

TUTORIAL, OURS, ONNX = "tutorial's way", "ours", "ours, ONNX Runtime"

LEAST = {OURS: 40, ONNX: 60}


def settings_for(found: Material, engine: str = "tensorflow") -> dict[str, str]:
    """App settings: that model, on the tutorial's own runtime unless another is named."""
    return {
        "MODELS_DIR": str(found.models_dir),
        "DEFAULT_MODEL": found.model,
        "ENGINE": engine,
        "ENGINE_THREADS": "0",
    }


def classifier_for(found: Material, engine: str = "tensorflow") -> Classifier:
    return Classifier(Settings.from_environ(settings_for(found, engine)))


@contextmanager
def cases(quick: bool) -> Iterator[list[Case]]:
    with material(quick=quick) as found:
        (found.folder / "model.onnx").write_bytes(convert(read_model(found.folder)))
        classifier = classifier_for(found)
        ours = {
            OURS: classifier.classify_bytes,
            ONNX: classifier_for(found, "onnx").classify_bytes,
        }
        yield [pipeline_case(found, classifier, ours, quick=quick)]


def pipeline_case(
    found: Material,
    classifier: Classifier,
    ours: Mapping[str, Callable[[bytes], Any]],
    *,
    quick: bool,
) -> Case:
    """The comparison.

    Args:
        found: model and pictures.
        classifier: knows how the model is fed.
        ours: what is measured against the tutorial's way, by name.
        quick: one round.
    """
    twin = TutorialTwin(found.folder)

    def check(name: str, answers: Mapping[str, Any]) -> None:
        theirs, their_tensor = answers[TUTORIAL]
        for who in ours:
            answer = answers[who].as_dict()
            check_same_answer(f"{who}, {name}", answer, theirs)
            if name in found.expected:
                check_probabilities(f"{who}, {name}", answer, found.expected[name])
        image = decode(found.pictures[name], max_pixels=classifier.settings.max_image_pixels)
        contract = classifier.repository.get().load().engine.contract
        check_same_tensor(f"{OURS}, {name}", preprocess(image, contract), their_tensor)

    return Case(
        name="pipeline",
        about=f"in process, one picture at a time, {len(found.pictures)} pictures: {found.about}",
        implementations={TUTORIAL: twin.predict_with_tensor, **ours},
        inputs=found.pictures,
        check=check,
        rounds=1 if quick else 5,
        each_input=False,
        goals=tuple(
            Goal(
                f"throughput in process, {who} / tutorial's way",
                ">=",
                least,
                "x",
                partial(throughput, who=who),
            )
            for who, least in LEAST.items()
            if who in ours
        ),
        notes=_notes,
    )


def throughput(samples: Samples, who: str = OURS) -> float:
    """Pictures a second, ours over theirs; each picture counts with the median of its calls."""
    return _seconds_for_all(samples, TUTORIAL) / _seconds_for_all(samples, who)


def _seconds_for_all(samples: Samples, implementation: str) -> float:
    names = samples.inputs()
    return sum(samples.median(implementation, name, MILLISECONDS) for name in names) / 1000


def _notes(samples: Samples) -> list[str]:
    ours = [name for name in (OURS, ONNX) if name in samples.implementations()]
    rates = [
        f"{name} {len(samples.inputs()) / _seconds_for_all(samples, name):.2f}"
        for name in (TUTORIAL, *ours)
    ]
    return [
        f"Pictures a second: {', '.join(rates)}.",
        *(_ratios(samples, name) for name in ours),
        "One process, one caller, each engine with its default threads.",
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
    return (
        f"{who}: {throughput(samples, who):.1f} times as many as the tutorial's way; picture by "
        f"picture {low:.1f} ({slowest}) to {high:.1f} times ({quickest})."
    )
