"""The comparison over HTTP runs against the real local host, and notices a wrong answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image

from benchmarks.data.synthetic_images import encoded
from benchmarks.data.workload import Workload
from benchmarks.entries.http import IN_PROCESS, KEEP_ALIVE, NEW_CONNECTION, one_request_case
from benchmarks.entries.http_load import CLIENTS, FIRST, SHARES, load_case
from benchmarks.harness.case import MILLISECONDS, RATE, Case, WrongAnswer
from benchmarks.harness.measure import run_case
from benchmarks.servers.app_host import local_host, wait_until_ready


@pytest.fixture(scope="module")
def port(demo: Workload) -> Iterator[int]:
    with local_host(demo.environ()) as (program, port):
        wait_until_ready(program, port)
        yield port


@pytest.fixture
def case(demo: Workload, port: int) -> Iterator[Case]:
    with one_request_case(demo, port, quick=True) as made:
        yield replace(made, rounds=2, warm_up_rounds=1)


def test_all_three_ways_answer_alike_and_are_timed(case: Case) -> None:
    samples = run_case(case)

    assert {who for who, _, _ in samples.series()} == {IN_PROCESS, KEEP_ALIVE, NEW_CONNECTION}
    assert {samples.summary(*key).count for key in samples.series()} == {case.rounds}
    assert [figure for _, _, figure in samples.series()] == [MILLISECONDS] * 6


def test_an_answer_for_another_image_is_wrong(case: Case) -> None:
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


def test_loads_are_measured_and_the_open_ones_follow_the_capacity(
    demo: Workload, port: int
) -> None:
    with load_case(demo, port, quick=True) as case:
        samples = run_case(replace(case, warm_up_rounds=0))

    (name,) = samples.inputs()
    closed = [f"closed loop, {clients}" for clients in CLIENTS]
    opened = [f"open loop, {share}" for share in SHARES]
    assert set(samples.implementations()) == {FIRST, *closed, *opened}
    assert len(samples.values(FIRST, name, MILLISECONDS)) == 1
    for who in (*closed, *opened):
        assert samples.values(who, name, MILLISECONDS)
        assert samples.values(who, name, RATE)[0] > 0


def test_a_load_with_a_wrong_answer_ends_the_run(
    demo: Workload, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.entries.http_load.classify_path", lambda model: "/api/nothing")

    with (
        pytest.raises(WrongAnswer, match="status 404"),
        load_case(demo, port, quick=True) as case,
    ):
        run_case(case)
