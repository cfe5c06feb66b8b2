import os
import sys
import threading
import time
from collections.abc import Callable

import pytest

from image_classifier.compute_slots import ComputeSlots, usable_cores


def started(*targets: Callable[[], None]) -> list[threading.Thread]:
    threads = [threading.Thread(target=target, daemon=True) for target in targets]
    for thread in threads:
        thread.start()
    return threads


def ended(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.join(timeout=20)
        assert not thread.is_alive()


def test_no_more_threads_compute_than_there_are_slots() -> None:
    slots = ComputeSlots(3)
    lock = threading.Lock()
    now = most = 0

    def work() -> None:
        nonlocal now, most
        for _ in range(200):
            with slots.slot():
                with lock:
                    now += 1
                    most = max(most, now)
                with lock:
                    now -= 1

    ended(started(*[work] * 12))

    assert 1 <= most <= 3
    assert slots._free == 3


def test_slots_are_handed_on_in_the_order_in_which_they_were_asked_for() -> None:
    slots = ComputeSlots(1)
    order: list[int] = []

    def work(number: int) -> Callable[[], None]:
        def run() -> None:
            with slots.slot():
                order.append(number)

        return run

    threads: list[threading.Thread] = []
    with slots.slot():
        for number in range(8):
            threads += started(work(number))
            while len(slots._queue) <= number:  # until it stands in the queue
                time.sleep(0.001)
    ended(threads)

    assert order == list(range(8))


def test_who_comes_back_at_once_does_not_go_before_those_who_wait() -> None:
    slots = ComputeSlots(1)
    order: list[str] = []

    def wait() -> None:
        with slots.slot():
            order.append("waited")

    with slots.slot():
        threads = started(wait)
        while not slots._queue:
            time.sleep(0.001)
    with slots.slot():
        order.append("came back")
    ended(threads)

    assert order == ["waited", "came back"]


def test_a_failure_inside_gives_the_slot_back() -> None:
    slots = ComputeSlots(1)

    with pytest.raises(ValueError, match="inside"), slots.slot():
        raise ValueError("inside")

    assert slots._free == 1


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux pins processes to cores")
def test_a_process_that_is_pinned_to_one_core_has_one() -> None:
    allowed = os.sched_getaffinity(0)
    seen: list[int] = []

    def pinned() -> None:  # a thread of its own: the others keep their cores
        os.sched_setaffinity(0, {min(allowed)})
        seen.append(usable_cores())

    ended(started(pinned))

    assert seen == [1]
    assert usable_cores() == len(allowed)
