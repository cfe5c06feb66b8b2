"""Shows the progress of a tool with a few long steps."""

from __future__ import annotations

import os
import sys
import time

__all__ = ["Steps"]


class Steps:
    """Prints ``[n/total]`` and the duration of each step, and silences its stderr.

    Args:
        count: the number of steps.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._done = 0

    def __call__(self, what: str) -> Steps:
        """Names the next step, for ``with``."""
        self._done += 1
        self._started = time.perf_counter()
        print(f"  [{self._done}/{self._count}] {what} …", end="", flush=True)
        return self

    def __enter__(self) -> None:
        sys.stdout.flush()
        # TensorFlow and tf2onnx log to file descriptor 2 directly, without Python's sys.stderr.
        self._kept = os.dup(2)
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        os.dup2(self._kept, 2)
        os.close(self._kept)
        took = time.perf_counter() - self._started
        print(" failed" if kind else f" {took:.1f} s", flush=True)
