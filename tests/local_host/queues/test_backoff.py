"""The pauses between requests to the queue service."""

from __future__ import annotations

from itertools import islice

import pytest

from local_host.queues.backoff import Backoff, retry_pauses


@pytest.mark.parametrize("factor", [0.8, 1.2])
def test_pauses_of_an_empty_queue_double_from_a_tenth_of_a_second_to_the_longest(
    monkeypatch: pytest.MonkeyPatch, factor: float
) -> None:
    chosen: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        chosen.append((low, high))
        return factor

    monkeypatch.setattr("local_host.queues.backoff.random.uniform", uniform)
    backoff = Backoff(2.0)

    pauses = [backoff.next() for _ in range(8)]

    growths = [0, 1, 3, 7, 15]
    assert pauses[:5] == pytest.approx([0.1 + factor * 0.1 * growth for growth in growths])
    assert pauses[5:] == [2.0, 2.0, 2.0]
    assert set(chosen) == {(0.8, 1.2)}


def test_pauses_start_anew_after_a_message() -> None:
    backoff = Backoff(60.0)
    for _ in range(5):
        backoff.next()
    backoff.reset()

    assert backoff.next() == pytest.approx(0.1)
    assert backoff.next() < 0.25


def test_longest_pause_stays_so_for_any_number_of_looks() -> None:
    backoff = Backoff(60.0)

    assert [backoff.next() for _ in range(5000)][-1] == 60.0


def test_retries_of_a_change_wait_twice_as_long_each_time_up_to_two_seconds() -> None:
    assert list(islice(retry_pauses(), 7)) == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0])
