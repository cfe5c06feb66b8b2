"""The comparison over HTTP runs against the real local host, and notices a wrong answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from benchmarks.bench_http import IN_PROCESS, KEEP_ALIVE, NEW_CONNECTION, http_case
from benchmarks.cases import MILLISECONDS, Case, WrongAnswer
from benchmarks.material import Material, encoded, jpeg
from benchmarks.measure import run_case
from tests.builders import model_folder


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory, colours_pb: bytes) -> Iterator[Case]:
    models: Path = tmp_path_factory.mktemp("models")
    model_folder(models, "colours", 1, graph=colours_pb)
    found = Material("a small model", models, "colours", {"small.jpg": jpeg(90, 150)}, {})
    with http_case(found, quick=True) as made:
        yield replace(made, rounds=2, warm_up_rounds=1)


def test_all_three_ways_answer_alike_and_are_timed(case: Case) -> None:
    samples = run_case(case)

    assert {who for who, _, _ in samples.series()} == {IN_PROCESS, KEEP_ALIVE, NEW_CONNECTION}
    assert {samples.summary(*key).count for key in samples.series()} == {case.rounds}
    assert [figure for _, _, figure in samples.series()] == [MILLISECONDS] * 6


def test_an_answer_for_another_picture_is_wrong(case: Case) -> None:
    other = encoded(Image.new("RGB", (50, 50), (200, 0, 0)), "PNG")
    mixed_up: dict[str, Any] = {
        **case.implementations,
        KEEP_ALIVE: lambda data: case.implementations[KEEP_ALIVE](other),
    }

    with pytest.raises(WrongAnswer, match=KEEP_ALIVE):
        run_case(replace(case, implementations=mixed_up))


def test_an_error_status_is_a_failure_with_the_hosts_words(case: Case) -> None:
    no_image: dict[str, Any] = {KEEP_ALIVE: lambda data: case.implementations[KEEP_ALIVE](b"no")}

    with pytest.raises(WrongAnswer, match="status 415.*UnsupportedImage"):
        run_case(replace(case, implementations=no_image))
