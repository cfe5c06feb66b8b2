"""The comparison of the engines on a network of the zoo, with the demo model in its place."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.data import zoo_files
from benchmarks.data.workload import Workload
from benchmarks.entries.zoo import (
    GOAL_NETWORK,
    IMAGE,
    IMAGES,
    RUNTIMES,
    TENSORFLOW,
    network_case,
    ratio,
)
from benchmarks.harness.case import MILLISECONDS, RATE, Case, Measured, WrongAnswer
from benchmarks.harness.measure import run_case
from benchmarks.harness.records import case_record, verdicts
from image_classifier.engines.registry import ENGINES

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def case(demo: Workload) -> Iterator[Case]:
    with network_case(GOAL_NETWORK, demo.folder, quick=True) as made:
        yield made


def test_every_engine_that_is_installed_answers_and_is_compared(case: Case) -> None:
    samples = run_case(case)

    installed = [name for name, kind in RUNTIMES.items() if ENGINES[kind].is_installed()]
    assert samples.implementations() == installed
    for name in installed:
        assert len(samples.values(name, IMAGE, MILLISECONDS)) == case.rounds * IMAGES
        assert min(samples.values(name, IMAGE, RATE)) > 0
    record = case_record(case, samples)
    assert all("per_second" in row for row in record["figures"])
    assert len(record["notes"]) == len(installed) - 1
    (verdict,) = verdicts(case, samples)
    assert verdict.goal == ">= 1.5 x"
    best = max(ratio(samples, name) for name in installed if name != TENSORFLOW)
    assert verdict.met is (best >= 1.5)


def test_only_one_network_has_a_goal(demo: Workload) -> None:
    with network_case("vgg16", demo.folder, quick=True) as made:
        assert made.goals == ()


@pytest.mark.parametrize("wrong", [0.01, np.nan])
def test_a_score_that_differs_is_wrong(case: Case, wrong: float) -> None:
    right = case.implementations[TENSORFLOW]

    def another(data: bytes) -> Measured:
        measured: Measured = right(data)
        scores: Any = measured.answer.copy()
        scores[-1, 0] += wrong
        return replace(measured, answer=scores)

    with pytest.raises(WrongAnswer, match=f"another, {IMAGE}"):
        run_case(replace(case, implementations={TENSORFLOW: right, "another": another}))


def test_what_cannot_be_built_is_no_answer(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file where a folder should be")

    with pytest.raises(WrongAnswer, match=r"tools.zoo build resnet50 .* failed:"):
        zoo_files.build("resnet50", tmp_path / "models", quick=True)


def test_a_detector_becomes_a_graph_with_all_its_predictions_in_a_row(tmp_path: Path) -> None:
    from image_classifier.engines.base import EngineOptions
    from image_classifier.model_files.input_spec import read_input_spec
    from tools.zoo.anchors import SIDE
    from tools.zoo.detector import make_detector, write_detector

    detector = make_detector("none", 1, width=1 / 64)
    built = write_detector(
        detector, ["a"], name="d", models_dir=tmp_path, least_score=0.5, most_overlap=0.45
    )
    zoo_files.write_predictions(built, tmp_path / "row")

    input_spec = read_input_spec(tmp_path / "row" / "model.json")
    graph = ENGINES["tensorflow"].load(tmp_path / "row" / "model.pb", input_spec, EngineOptions())
    batch = np.random.default_rng(0).normal(size=(2, SIDE, SIDE, 3)).astype(np.float32)
    found = graph.predict(batch)
    expected = [
        np.asarray(tensor).reshape(2, -1)
        for level in sorted(detector(batch).items(), key=lambda item: int(item[0][5:]))
        for tensor in level[1]
    ]
    assert found == pytest.approx(np.concatenate(expected, 1), abs=1e-4)
    assert json.loads((tmp_path / "row" / "model.json").read_text())["size"] == [SIDE, SIDE]
