"""Runs of the real thing, short, on a small model: that it reports, and that it can fail.

No test here looks at how fast anything was.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from benchmarks import __main__ as command
from benchmarks.__main__ import ENTRIES, ONLY_WHEN_NAMED, Entry, main, of_cases
from benchmarks.baselines.tutorial import tensor_of
from benchmarks.data.synthetic_images import jpeg, photo
from benchmarks.data.workload import Workload
from benchmarks.entries.pipeline import TENSORFLOW, faster, pipeline_case
from benchmarks.harness.answer_checks import check_same_tensor
from benchmarks.harness.case import Case, Goal, WrongAnswer
from benchmarks.harness.measure import run_case
from benchmarks.harness.records import Part, case_record, verdicts
from image_classifier import Prediction, TagProbability
from image_classifier.images.preprocess import preprocess
from image_classifier.model_files.input_spec import InputSpec
from tests.support.builders import model_folder


def entry(made: Case) -> Entry:
    @contextmanager
    def cases(quick: bool) -> Iterator[list[Case]]:
        assert quick
        yield [made]

    return Entry("what is tested", 1, of_cases(cases))


@pytest.fixture
def found(tmp_path: Path, colours_pb: bytes) -> Workload:
    model_folder(tmp_path, "colours", 1, graph=colours_pb)
    return Workload("a small model", tmp_path, "colours", {"high.jpg": jpeg(90, 150)}, {})


def test_pipeline_compares_both_ways_and_reports(
    found: Workload, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = replace(found, images={**found.images, "wide.jpg": jpeg(300, 200)})
    classifier = found.classifier("tensorflow")
    case = pipeline_case(found, classifier, {TENSORFLOW: classifier.classify_bytes}, rounds=1)
    case = replace(case, goals=(faster(TENSORFLOW, 40, "all images"),))
    file = tmp_path / "figures.json"

    code = main(["--quick", "--json", str(file)], {"pipeline": entry(case)})

    out = capsys.readouterr().out
    assert code == 0
    for words in ("## pipeline", "tutorial's way", "all 2", ">= 40 x", "Python:", "numpy"):
        assert words in out
    (record,) = json.loads(file.read_text("utf-8"))
    assert record["name"] == "pipeline"
    assert record["machine"]["Command"].startswith("python -m benchmarks --quick")
    (shown,) = record["cases"]
    assert {row["input"] for row in shown["details"]} == {"wide.jpg", "high.jpg"}
    assert all(row["median"] > 0 for row in shown["figures"] + shown["details"])


@pytest.mark.slow
def test_an_implementation_that_swaps_the_channels_is_exit_1(
    capsys: pytest.CaptureFixture[str],
) -> None:
    size = 227
    spec = InputSpec(input_name="Placeholder:0", output_name="loss:0", height=size, width=size)
    image = photo(600, 600)

    def swapped(image: Image.Image) -> NDArray[np.float32]:
        return preprocess(image, spec)[:, :, ::-1]

    def check(name: str, answers: Mapping[str, Any]) -> None:
        for who, tensor in answers.items():
            check_same_tensor(f"{who}, {name}", tensor, tensor_of(image, size))

    def case(implementation: Callable[[Image.Image], NDArray[np.float32]]) -> Case:
        return Case(
            name="tensors",
            description="",
            implementations={"ours": implementation},
            inputs={"600 x 600": image},
            check=check,
            rounds=1,
        )

    assert main(["--quick"], {"tensors": entry(case(partial(preprocess, input_spec=spec)))}) == 0
    capsys.readouterr()
    code = main(["--quick"], {"tensors": entry(case(swapped))})

    captured = capsys.readouterr()
    assert code == 1
    assert "WRONG ANSWER" in captured.err
    assert "600 x 600" in captured.err
    assert "median" not in captured.out


def wrong_tag(prediction: Prediction) -> Prediction:
    swapped = tuple(TagProbability("Purple", tag.probability) for tag in prediction.tags)
    return Prediction(**(vars(prediction) | {"tags": swapped}))


def failing(prediction: Prediction) -> Prediction:
    raise MemoryError("out of memory")


@pytest.mark.parametrize("spoil", [wrong_tag, failing])
def test_a_pipeline_that_answers_wrongly_or_not_at_all_is_exit_1(
    found: Workload, spoil: Callable[[Prediction], Prediction], capsys: pytest.CaptureFixture[str]
) -> None:
    classifier = found.classifier("tensorflow")
    case = pipeline_case(
        found,
        classifier,
        {TENSORFLOW: lambda data: spoil(classifier.classify_bytes(data))},
        rounds=1,
    )

    code = main(["--quick"], {"pipeline": entry(case)})

    assert code == 1
    assert "WRONG ANSWER" in capsys.readouterr().err


def test_an_answer_unlike_the_recorded_one_is_exit_1(
    found: Workload, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded = replace(found, expected={"high.jpg": {"Blue": 0.001, "Red": 0.999}})
    classifier = recorded.classifier("tensorflow")
    case = pipeline_case(recorded, classifier, {TENSORFLOW: classifier.classify_bytes}, rounds=1)

    assert main(["--quick"], {"pipeline": entry(case)}) == 1
    assert "high.jpg" in capsys.readouterr().err


def test_a_name_that_is_no_benchmark_is_refused_with_those_there_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as refused:
        main(["pipelin"])

    err = capsys.readouterr().err
    assert refused.value.code == 2
    assert all(name in err for name in ENTRIES)


@pytest.mark.parametrize(
    ("sign", "value", "met"),
    [(">=", 40.0, True), (">=", 39.9, False), ("<=", 40.0, True), ("<", 40.0, False)],
)
def test_a_goal_is_met_or_missed(sign: str, value: float, met: bool) -> None:
    goal = Goal("a goal", sign, 40, "x", lambda samples: value)

    assert goal.is_met(value) is met


def test_a_missed_goal_shows_as_missed() -> None:
    goal = Goal("as quick as light", "<", 0.0, "ms", lambda samples: 1.5)
    made: dict[str, Any] = {"implementations": {"len": len}, "inputs": {"cat": "cat"}}
    case = Case(
        name="trap",
        description="",
        check=lambda name, answers: None,
        rounds=1,
        goals=(goal,),
        **made,
    )

    (verdict,) = verdicts(case, run_case(case))

    assert (verdict.measured, verdict.met) == ("1.50 ms", False)


def steps(errors: list[str]) -> Entry:
    """An entry that gives its parts itself, as the peers do."""
    counted: dict[str, Any] = {"implementations": {"len": len}, "inputs": {"cat": "cat"}}
    case = Case(
        name="letters", description="", check=lambda name, answers: None, rounds=2, **counted
    )

    def parts(quick: bool) -> Iterator[Part]:
        yield Part(case_record(case, run_case(case)), [], errors)

    return Entry("letters are counted", 1, parts)


def test_plain_runs_leave_the_tree_alone_and_results_are_written_when_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib", reason="the plots need matplotlib")
    monkeypatch.setattr(command, "RESULTS", tmp_path / "results")

    assert main([], {"letters": steps([])}) == 0
    assert not (tmp_path / "results").exists()

    assert main(["letters", "--results"], {"letters": steps([])}) == 0
    written = {file.name for file in (tmp_path / "results").iterdir()}
    assert written == {"README.md", "letters.json", "letters.md", "letters-letters.svg"}


def test_errors_of_a_part_are_shown_and_are_exit_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([], {"letters": steps(["status 500"])}) == 1

    captured = capsys.readouterr()
    assert "### letters" in captured.out
    assert "status 500" in captured.err


def test_a_part_that_cannot_be_measured_costs_the_others_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As a network of the zoo that does not fit in memory."""

    def parts(quick: bool) -> Iterator[Part]:
        yield Part(None, errors=["vgg16 was not measured: it was killed"])
        yield from steps([]).parts(quick)

    assert main([], {"some": Entry("networks", 1, parts)}) == 1
    captured = capsys.readouterr()
    assert "### letters" in captured.out
    assert "vgg16 was not measured" in captured.err

    def none(quick: bool) -> Iterator[Part]:
        yield Part(None, errors=["vgg16 was not measured"])

    assert main([], {"some": Entry("networks", 1, none)}) == 1
    assert "vgg16 was not measured" in capsys.readouterr().err


def test_help_names_every_benchmark_and_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])

    text = " ".join(capsys.readouterr().out.split())
    assert ended.value.code == 0
    assert all(f"{name} {one.description}" in text for name, one in ENTRIES.items())


def test_what_installs_other_servers_runs_only_when_named() -> None:
    assert "peers" in ONLY_WHEN_NAMED
    assert set(ENTRIES) > set(ONLY_WHEN_NAMED)


def test_a_wrong_answer_in_one_benchmark_does_not_cost_the_others(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def wrong(quick: bool) -> Iterator[Part]:
        raise WrongAnswer("cat is no dog")
        yield

    assert main([], {"first": Entry("wrong", 1, wrong), "letters": steps([])}) == 1

    captured = capsys.readouterr()
    assert "first: WRONG ANSWER" in captured.err
    assert "### letters" in captured.out
