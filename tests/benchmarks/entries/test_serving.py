"""The comparison of the serving endpoints runs against real servers, and notices a wrong answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.data.workload import Workload
from benchmarks.entries.serving import (
    BARE,
    CLASSIFY,
    GRPC,
    REST_FUNCTION,
    REST_PROCESS,
    SESSION,
    TENSORS,
    images_case,
    model_server,
    tensor_case,
)
from benchmarks.harness.case import MILLISECONDS, RATE, WrongAnswer
from benchmarks.harness.measure import run_case
from benchmarks.load.plan import Load
from benchmarks.load.process import Sender, sender
from benchmarks.servers.app_host import local_host, wait_until_ready


@pytest.fixture(scope="module")
def ports(demo: Workload) -> Iterator[dict[str, int]]:
    with (
        local_host(demo.environ()) as (program, port),
        model_server(demo) as (grpc_port, rest_port),
    ):
        wait_until_ready(program, port)
        yield {CLASSIFY: port, REST_FUNCTION: port, REST_PROCESS: rest_port, GRPC: grpc_port}


@pytest.fixture(scope="module")
def source() -> Iterator[Sender]:
    with sender() as made:
        yield made


def test_all_four_endpoints_answer_the_same_load(
    demo: Workload, ports: dict[str, int], source: Sender
) -> None:
    case = images_case(demo, ports, source, quick=True)
    samples = run_case(replace(case, warm_up_rounds=0))

    assert set(samples.implementations()) == {CLASSIFY, REST_FUNCTION, REST_PROCESS, GRPC}
    for name in samples.implementations():
        assert samples.values(name, None, RATE)[0] > 0
        assert samples.values(name, None, MILLISECONDS)
    assert len(case.notes(samples)) == 3
    assert all(goal.value(samples) > 0 for goal in case.goals)


def test_a_tensor_is_compared_with_the_run_and_the_bare_call(
    demo: Workload, ports: dict[str, int]
) -> None:
    with tensor_case(demo, ports[GRPC], quick=True) as case:
        samples = run_case(replace(case, rounds=2, warm_up_rounds=1))

    assert set(samples.implementations()) == {SESSION, BARE, TENSORS}
    assert "Above the two others together" in case.notes(samples)[0]


@pytest.mark.parametrize(("kind", "endpoint"), [("predict", REST_PROCESS), ("grpc", GRPC)])
def test_a_wrong_answer_is_noticed(
    demo: Workload,
    ports: dict[str, int],
    source: Sender,
    tmp_path: Path,
    kind: str,
    endpoint: str,
) -> None:
    right = images_case(demo, ports, source, quick=True)
    assert right.implementations[endpoint](b"").figures[RATE] > 0  # writes the request's file

    name = "gRPC, model_server" if kind == "grpc" else "REST, model_server"
    outcome = source.send(
        Load(
            port=ports[endpoint],
            path=f"/v1/models/{demo.model}:predict",
            file=str(demo.models_dir / f"{name}.body"),
            tag="another",
            probability=0.5,
            seconds=0.2,
            kind=kind,
        )
    )
    assert outcome.errors and "it should be another with 0.5" in outcome.errors[0]


def test_a_load_that_fails_ends_the_run(
    demo: Workload, ports: dict[str, int], source: Sender
) -> None:
    """The endpoints change places, so each is asked what it does not know."""
    mixed = {**ports, REST_PROCESS: ports[GRPC], GRPC: ports[REST_PROCESS]}
    case = images_case(demo, mixed, source, quick=True)

    with pytest.raises(WrongAnswer, match="model_server"):
        run_case(replace(case, warm_up_rounds=0))
