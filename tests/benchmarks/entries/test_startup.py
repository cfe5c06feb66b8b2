from __future__ import annotations

import mmap
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.data.page_cache import CAN_FORGET, forget, what_starts_read
from benchmarks.data.workload import Workload
from benchmarks.entries.startup import (
    FIRST_ANSWER,
    IMAGE,
    MEMORY_FIRST,
    READY,
    local_host_start,
    start_cases,
)
from benchmarks.harness.case import Case, Measured, WrongAnswer
from benchmarks.harness.measure import run_case

pytestmark = pytest.mark.process


def onnx_only(case: Case) -> Case:
    """TensorFlow's start takes seconds, and is the same code."""
    kept = {who: call for who, call in case.implementations.items() if "ONNX" in who}
    return replace(case, implementations=kept, goals=(), notes=lambda samples: [])


@pytest.fixture(scope="module")
def cases(demo: Workload) -> dict[str, Case]:
    return {case.name: case for case in start_cases(demo, quick=True)}


def test_both_engines_take_turns_in_every_case(cases: dict[str, Case]) -> None:
    for case in cases.values():
        assert [who.split(", ")[1] for who in case.implementations] == [
            "ONNX Runtime",
            "TensorFlow",
        ]
    assert [goal.limit for case in cases.values() for goal in case.goals] == [0.6, 6, 170]


def test_a_start_is_timed_to_the_first_right_answer(cases: dict[str, Case]) -> None:
    samples = run_case(onnx_only(cases["warm start of the local host"]))

    ready, first = (
        samples.median("local host, ONNX Runtime", IMAGE, what) for what in (READY, FIRST_ANSWER)
    )
    assert 0 < ready < first < 60


def test_memory_is_weighed_after_one_answer_and_after_many(cases: dict[str, Case]) -> None:
    samples = run_case(onnx_only(cases["memory of the local host"]))

    (who,) = samples.implementations()
    figures = [figure for _, _, figure in samples.series()]
    assert figures == [MEMORY_FIRST, "resident after 20 answers, MB"]
    assert all(30 < samples.median(who, IMAGE, figure) < 600 for figure in figures)


def test_the_command_line_is_timed_too(cases: dict[str, Case]) -> None:
    samples = run_case(onnx_only(cases["warm start of the command line"]))

    assert samples.median("command line, ONNX Runtime", IMAGE, FIRST_ANSWER) > 0


def test_a_wrong_first_answer_is_noticed(cases: dict[str, Case]) -> None:
    case = cases["warm start of the local host"]
    wrong = {"predictedTagName": "x", "prediction": [{"tagName": "x", "probability": 1.0}]}
    lying = {"lying host": lambda image: Measured([wrong], {FIRST_ANSWER: 0.1})}

    with pytest.raises(WrongAnswer, match="lying host"):
        run_case(replace(case, implementations=lying))


@pytest.mark.skipif(not CAN_FORGET, reason="this system has no posix_fadvise")
def test_files_are_dropped_from_the_disk_cache(tmp_path: Path) -> None:
    for name in ("a.bin", "below/b.bin"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(os.urandom(8 * mmap.PAGESIZE))

    assert forget([tmp_path]) == 2
    assert (tmp_path / "a.bin").stat().st_size == 8 * mmap.PAGESIZE


def test_what_a_start_reads_is_named(tmp_path: Path) -> None:
    folders = what_starts_read(tmp_path)

    assert all(folder.is_dir() for folder in folders)
    assert {"image_classifier", "local_host", "classify"} <= {folder.name for folder in folders}
    assert any((folder / "numpy").is_dir() for folder in folders)
    assert Path(os.__file__).parent in folders or sys.platform == "win32"


def test_a_host_that_cannot_answer_is_a_failure_with_its_last_words(
    demo: Workload, tmp_path: Path
) -> None:
    image = tmp_path / "image.jpg"
    image.write_bytes(b"no picture")

    with pytest.raises(WrongAnswer, match=r"(?s)status 415.*Its last words:"):
        local_host_start(demo, image, engine="onnx")
