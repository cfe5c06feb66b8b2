"""Shows a progress bar for work in other threads, and stops the work on Ctrl+C."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from tqdm import tqdm

__all__ = ["Work", "show_progress"]

TICK_SECONDS = 0.1


class Work(Protocol):
    """Work that runs in threads of its own."""

    def start(self) -> None:
        """Starts the threads."""
        ...

    def wait(self, seconds: float) -> bool:
        """Waits so long at most; returns whether the work is done."""
        ...

    def stop(self) -> None:
        """Begins nothing new, but finishes what has begun."""
        ...


def show_progress(work: Work, done: Callable[[], int], *, total: int | None, unit: str) -> bool:
    """Runs work behind a progress bar, which is shown on terminals only.

    Args:
        work: not started yet.
        done: returns the number of finished units.
        total: the number of all units; None if it is unknown.
        unit: the name of a unit.

    Returns:
        Whether Ctrl+C stopped the work. A second Ctrl+C is raised without waiting.
    """
    interrupted = False
    # disable=None: on terminals only.
    with tqdm(total=total, unit=unit, disable=None) as bar:
        work.start()
        over = False
        while not over:
            try:
                over = work.wait(TICK_SECONDS)
                bar.update(done() - bar.n)
            except KeyboardInterrupt:
                if interrupted:
                    raise
                interrupted = True
                work.stop()
    return interrupted
