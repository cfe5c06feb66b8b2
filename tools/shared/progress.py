"""A progress bar over work that goes on in threads of its own, and what Ctrl+C does to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from tqdm import tqdm

__all__ = ["Work", "show_progress"]

TICK_SECONDS = 0.1


class Work(Protocol):
    """What goes on beside the bar."""

    def start(self) -> None: ...

    def wait(self, seconds: float) -> bool:
        """Waits at most so long; whether it is over."""
        ...

    def stop(self) -> None:
        """Begins nothing new; what is on its way is still finished."""
        ...


def show_progress(work: Work, done: Callable[[], int], *, total: int | None, unit: str) -> bool:
    """Does the work behind a bar, which only a terminal shows.

    Args:
        work: not started yet.
        done: how many are done.
        total: of how many; None if nobody knows.
        unit: what is counted.

    Returns:
        Whether Ctrl+C ended it. The second Ctrl+C is raised: it waits for nothing.
    """
    interrupted = False
    # disable=None: only where somebody sees it.
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
