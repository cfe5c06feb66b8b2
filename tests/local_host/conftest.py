"""A limit of time for every test of the local host: most of them wait for something."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from types import FrameType

import pytest

# Many times what the slowest takes on two busy cores.
LIMIT_SECONDS = 300


@pytest.fixture(autouse=True)
def time_limit() -> Iterator[None]:
    """Fails a test that takes too long. Windows has no alarm, so tests have no limit there."""
    if not hasattr(signal, "SIGALRM"):
        yield
        return

    def fail(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"the test takes longer than {LIMIT_SECONDS} seconds")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(LIMIT_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
