"""The formula is held against a simulation, and the pages against the command."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tools.capacity import Job, capacity, instances_for, main

SCALE = Path(__file__).resolve().parents[2] / "docs" / "scale.md"


def simulated_seconds(job: Job, step: float = 0.01) -> float:
    """The same job done in small steps of time: the formula's independent witness."""
    done = time = 0.0
    while done < job.runs:
        there = float(job.instances)
        if job.instances > 1 and job.ramp_seconds:
            there *= min(1.0, (time + step / 2) / job.ramp_seconds)
        done += there * job.images_per_second * step
        time += step
    return time


@pytest.mark.parametrize(
    "job",
    [
        Job(images=10_000, images_per_second=50, instances=1),
        Job(images=50_000, images_per_second=50, instances=10),
        Job(images=5_000, images_per_second=50, instances=10, ramp_seconds=120),
        Job(images=20_000, images_per_second=20, instances=40, ramp_seconds=30, retries=0.5),
        Job(images=20_000, images_per_second=20, instances=40, ramp_seconds=0),
    ],
)
def test_time_is_that_of_the_job_played_through(job: Job) -> None:
    assert capacity(job).seconds == pytest.approx(simulated_seconds(job), rel=1e-3, abs=0.05)


def test_instance_time_does_not_depend_on_how_many_share_it() -> None:
    one, many = (
        capacity(Job(images=100_000, images_per_second=50, instances=count)) for count in (1, 50)
    )

    assert one.instance_seconds == many.instance_seconds == 2000
    assert one.gb_seconds == 4000


def test_storage_operations_count_put_get_and_delete() -> None:
    assert capacity(Job(160, 1, 1, batch_size=16)).storage_operations == 160 * 2 + 10
    assert capacity(Job(160, 1, 1, batch_size=1)).storage_operations == 160 * 3


def test_a_message_that_is_tried_again_costs_a_run_a_get_and_an_update() -> None:
    once = capacity(Job(1000, 10, 1, batch_size=1))
    again = capacity(Job(1000, 10, 1, batch_size=1, retries=0.1))

    assert again.executions - once.executions == pytest.approx(100)
    assert again.storage_operations - once.storage_operations == pytest.approx(200)


@pytest.mark.parametrize(("size", "pieces"), [(1, 1), (2048, 1), (2049, 2), (10_000, 5)])
def test_signalr_messages_grow_with_viewers_and_size(size: int, pieces: int) -> None:
    found = capacity(Job(1000, 10, 3, viewers=1001, result_bytes=size))

    assert found.signalr_messages == 1000 * 1001 * pieces
    assert found.signalr_messages_per_second == 30 * 1001 * pieces
    assert found.signalr_units == 2


@pytest.mark.parametrize("minutes", [0.5, 1, 2, 10, 600])
def test_instances_found_are_enough_and_one_less_is_not(minutes: float) -> None:
    job = Job(images=200_000, images_per_second=50, instances=1, ramp_seconds=60)

    count = instances_for(job, minutes * 60)

    def takes(instances: int) -> float:
        return capacity(Job(200_000, 50, instances, ramp_seconds=60)).seconds

    assert takes(count) <= minutes * 60 + 1e-6
    assert count == 1 or takes(count - 1) > minutes * 60


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--images 0 --images-per-second 5 --instances 1", "images must be 1 or more, not 0"),
        ("--images 5 --images-per-second 0 --instances 1", "must be more than 0"),
        ("--images 5 --images-per-second 1 --within-minutes 0", "must be more than 0"),
        ("--images 5 --images-per-second 1", "--instances --within-minutes"),
    ],
)
def test_nonsense_is_refused_in_words(
    arguments: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments.split())

    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_tables_in_the_scale_page_are_what_their_commands_print(
    capsys: pytest.CaptureFixture[str],
) -> None:
    page = SCALE.read_text("utf-8").replace("\\\n", " ")
    shown = re.findall(r"```sh\npython -m tools\.capacity (.*?)\n```\n\n(\|.*?)\n\n", page, re.S)

    assert len(shown) >= 2
    for arguments, table in shown:
        assert main(arguments.split()) == 0
        assert capsys.readouterr().out.strip() == table.strip()
