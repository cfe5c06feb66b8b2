import os
import sys
import threading
import time
import weakref
from collections.abc import Callable
from functools import partial

import pytest

from image_classifier.concurrency.compute_slots import ComputeSlots, usable_cores


def started(*targets: Callable[[], object]) -> list[threading.Thread]:
    threads = [threading.Thread(target=target, daemon=True) for target in targets]
    for thread in threads:
        thread.start()
    return threads


def ended(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.join(timeout=20)
        assert not thread.is_alive()


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_no_more_is_computed_at_once_than_there_are_slots_and_everybody_gets_their_own() -> None:
    slots = ComputeSlots(3)
    lock = threading.Lock()
    now = most = 0
    wrong: list[object] = []

    def compute(number: int) -> int:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        with lock:
            now -= 1
        return number

    def work(me: int) -> Callable[[], None]:
        def run() -> None:
            for turn in range(200):
                number = 1000 * me + turn
                if slots.run_in_slot(partial(compute, number)) != number:
                    wrong.append(number)

        return run

    ended(started(*(work(me) for me in range(12))))
    until(lambda: slots.free == 3)

    assert 1 <= most <= 3
    assert wrong == []
    assert slots.idle_threads <= 3


class SlowlyCounted(ComputeSlots):
    """Lets other threads run between each look at the free slots and its consequence."""

    def __init__(self, count: int) -> None:
        self._value = 0
        super().__init__(count)

    @property
    def _free(self) -> int:
        value = self._value
        time.sleep(0.0005)
        return value

    @_free.setter
    def _free(self, value: int) -> None:
        self._value = value


def test_no_slot_is_given_out_twice_or_lost_however_the_threads_take_turns() -> None:
    slots = SlowlyCounted(2)
    lock, together = threading.Lock(), threading.Barrier(8)
    now = most = 0

    def compute() -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.0005)
        with lock:
            now -= 1

    def ask() -> None:
        together.wait(20)
        for _ in range(10):
            slots.run_in_slot(compute)

    ended(started(*[ask] * 8))
    until(lambda: slots.free == 2)

    assert most == 2
    assert slots.waiting == 0


def test_work_is_done_in_the_order_in_which_it_came_and_nobody_goes_before_those_who_wait() -> None:
    slots = ComputeSlots(1)
    go_on = threading.Event()
    order: list[int] = []
    first = started(lambda: slots.run_in_slot(lambda: order.append(0) if go_on.wait(20) else None))
    until(lambda: slots.free == 0)
    threads: list[threading.Thread] = []
    for number in range(1, 8):
        threads += started(partial(slots.run_in_slot, partial(order.append, number)))
        until(lambda number=number: slots.waiting == number)  # type: ignore[misc]

    go_on.set()
    ended(first)
    slots.run_in_slot(lambda: order.append(8))
    ended(threads)

    assert order == list(range(9))


def test_alone_everybody_computes_in_their_own_thread() -> None:
    slots = ComputeSlots(1)

    assert {slots.run_in_slot(threading.get_ident) for _ in range(3)} == {threading.get_ident()}


@pytest.mark.parametrize("waits", [False, True], ids=["at once", "after a wait"])
def test_a_failure_reaches_who_asked_and_gives_the_slot_back(waits: bool) -> None:
    slots = ComputeSlots(1)
    go_on = threading.Event()
    seen: list[str] = []

    def fail() -> None:
        raise ValueError("inside")

    def ask() -> None:
        with pytest.raises(ValueError, match="inside") as failed:
            slots.run_in_slot(fail)
        seen.append(str(failed.value))

    threads = started(lambda: slots.run_in_slot(go_on.wait)) if waits else []
    if waits:
        until(lambda: slots.free == 0)
    threads += started(ask)
    if waits:
        until(lambda: slots.waiting == 1)
    go_on.set()
    ended(threads)
    until(lambda: slots.free == 1)

    assert seen == ["inside"]
    assert slots.run_in_slot(lambda: "well") == "well"


def test_nothing_is_kept_of_work_that_is_done() -> None:
    slots = ComputeSlots(1)
    go_on = threading.Event()

    class Pixels:
        pass

    def ask() -> None:
        held = [Pixels()]
        kept.append(weakref.ref(held[0]))
        slots.run_in_slot(lambda: held.pop() is None)
        until(lambda: kept[0]() is None)

    kept: list[weakref.ref[Pixels]] = []
    threads = started(lambda: slots.run_in_slot(go_on.wait))
    until(lambda: slots.free == 0)
    threads += started(ask)
    until(lambda: slots.waiting == 1)
    go_on.set()
    ended(threads)

    assert kept[0]() is None


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
