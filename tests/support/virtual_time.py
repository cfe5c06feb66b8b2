"""An event loop whose clock jumps: code that waits for hours runs in milliseconds."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

__all__ = ["VirtualTimeLoop", "run_in_virtual_time", "until"]

Result = TypeVar("Result")

# A scenario takes a few thousand; one that runs in circles is ended after some seconds.
MOST_TURNS = 200_000


class _JumpingSelector(selectors.DefaultSelector):
    """Never blocks: a wait for a timer moves the clock instead."""

    now = 0.0
    turns = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.turns += 1
        if self.turns > MOST_TURNS:
            raise RuntimeError(f"the scenario does not end: {MOST_TURNS} turns of the loop")
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise RuntimeError("nothing is left to wait for: the scenario would hang")
            self.now += timeout
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Runs timers in their order, without waiting. For code without threads and sockets."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


def run_in_virtual_time(
    scenario: Callable[[], Coroutine[Any, Any, Result]], limit_seconds: float = 86400.0
) -> Result:
    """Runs a scenario on a loop of its own.

    Raises:
        TimeoutError: it took longer than ``limit_seconds`` of the loop's clock.
        RuntimeError: it waits for something that no timer brings, or runs in circles.
    """

    async def limited() -> Result:
        async with asyncio.timeout(limit_seconds):
            return await scenario()

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(limited())


async def until(is_so: Callable[[], bool], seconds: float = 3600.0) -> float:
    """Waits until the condition holds, looking ten times a second.

    Returns:
        how long that took by the loop's clock.

    Raises:
        AssertionError: it does not hold in time.
    """
    clock = asyncio.get_running_loop().time
    start = clock()
    while not is_so():
        assert clock() - start < seconds, f"not within {seconds:g} s"
        await asyncio.sleep(0.1)
    return clock() - start
