import threading
import time
from collections.abc import Callable

import pytest

from image_classifier.concurrency.pixel_budget import PixelBudget
from image_classifier.errors import TooManyRequests


def started(*targets: Callable[[], None]) -> list[threading.Thread]:
    threads = [threading.Thread(target=target, daemon=True) for target in targets]
    for thread in threads:
        thread.start()
    return threads


def test_many_threads_never_hold_more_than_the_limit() -> None:
    budget = PixelBudget(100)
    held = 0
    most = 0
    lock = threading.Lock()

    def work() -> None:
        nonlocal held, most
        for pixels in (30, 60, 10, 45) * 25:
            with budget.reserve(pixels):
                with lock:
                    held += pixels
                    most = max(most, held)
                with lock:
                    held -= pixels

    for thread in started(*[work] * 8):
        thread.join(timeout=20)
        assert not thread.is_alive()

    assert 60 <= most <= 100


def test_an_image_larger_than_the_budget_gets_its_turn_alone() -> None:
    with PixelBudget(100).reserve(1000):
        pass


def test_who_waits_too_long_is_told_to_come_back() -> None:
    budget = PixelBudget(100, wait_seconds=0.05)

    with budget.reserve(80), pytest.raises(TooManyRequests, match="Try again"), budget.reserve(30):
        raise AssertionError("there was no room")
    with budget.reserve(100):
        pass  # who gave up left nothing behind


def test_a_failure_inside_gives_the_room_back() -> None:
    budget = PixelBudget(100, wait_seconds=0.05)

    with pytest.raises(ValueError, match="inside"), budget.reserve(100):
        raise ValueError("inside")
    with budget.reserve(100):
        pass


def test_a_large_image_is_not_overtaken_for_ever_by_small_ones() -> None:
    budget = PixelBudget(100, wait_seconds=20)
    order: list[str] = []
    large_waits = threading.Event()

    def large() -> None:
        large_waits.set()
        with budget.reserve(100):
            order.append("large")

    def small() -> None:
        with budget.reserve(10):
            order.append("small")

    with budget.reserve(50):
        first = started(large)
        large_waits.wait(5)
        while not budget.waiting:  # until the large one stands in the queue
            time.sleep(0.001)
        others = started(small, small, small)
        while budget.waiting < 4:
            time.sleep(0.001)
        assert order == []
    for thread in first + others:
        thread.join(timeout=10)

    assert order == ["large", "small", "small", "small"]
