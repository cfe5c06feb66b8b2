"""Sends every image to both endpoints side by side, from several threads, until stopped."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from tools.compare.answer_log import Answer, ImageAnswers
from tools.compare.endpoint import Endpoint
from tools.compare.http_client import Caller
from tools.compare.rate_limit import Pace, StoppedError

__all__ = ["Asking"]


class Asking:
    """Asks both endpoints for all images.

    Args:
        endpoints: A and B.
        folder: has the images.
        images: files in it.
        keep: called with the answers to each image, from one thread at a time.
        rate: images a second at most.
        threads: how many images are asked for at once.
        timeout: seconds that a reply may take.
        pause: seconds before a second try.
        earlier: answers that are there already, by file; final ones are taken if the file is
            still the same.
    """

    def __init__(
        self,
        endpoints: tuple[Endpoint, Endpoint],
        folder: Path,
        images: Sequence[Path],
        keep: Callable[[ImageAnswers], None],
        *,
        rate: float,
        threads: int,
        timeout: float = 60.0,
        pause: float = 1.0,
        earlier: Mapping[str, ImageAnswers] | None = None,
    ) -> None:
        self._endpoints, self._folder = endpoints, folder
        self._images: Iterator[Path] = iter(images)
        self._keep, self._earlier = keep, earlier or {}
        self._pace = Pace(rate)
        self._timeout, self._pause = timeout, pause
        self._lock = threading.Lock()
        self._answers: dict[str, ImageAnswers] = {}
        self._problem: Exception | None = None
        self._started = self._ended = time.monotonic()
        self._threads = [
            threading.Thread(target=self._work, name=f"images {number}", daemon=True)
            for number in range(threads)
        ]

    @property
    def answers(self) -> list[ImageAnswers]:
        """What there is so far, by file."""
        with self._lock:
            return sorted(self._answers.values(), key=lambda each: each.file)

    @property
    def done(self) -> int:
        """How many images have their answers."""
        return len(self._answers)

    @property
    def problem(self) -> Exception | None:
        """What ended it early: a ToolError, or the error that ``keep`` raised."""
        return self._problem

    @property
    def seconds(self) -> float:
        """From the start to the last answer."""
        return self._ended - self._started

    def start(self) -> None:
        self._started = self._ended = time.monotonic()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Takes no more images; those on their way are waited for, but not asked for again."""
        self._pace.stop()

    def wait(self, seconds: float) -> bool:
        """Waits so long at most; returns whether all is over."""
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self) -> None:
        a, b = (
            Caller(endpoint, self._pace, timeout=self._timeout, pause=self._pause)
            for endpoint in self._endpoints
        )
        try:
            while True:
                with self._lock:
                    path = None if self._pace.stopped else next(self._images, None)
                answers = self._answers_to(path, a, b) if path else None
                if answers is None:
                    return
                self._take(answers)
        except Exception as exc:
            self._end(exc)
        finally:
            a.close()
            b.close()

    def _end(self, problem: Exception) -> None:
        """Ends all at once: nobody waits for another try any more."""
        if not isinstance(problem, StoppedError):
            with self._lock:
                self._problem = self._problem or problem
        self._pace.stop()

    def _answers_to(self, path: Path, a: Caller, b: Caller) -> ImageAnswers | None:
        """Both answers; None if it was stopped before they were there."""
        file = path.relative_to(self._folder).as_posix()
        try:
            data = path.read_bytes()
        except OSError as exc:
            unread = Answer(error=f"was not asked: the file cannot be read ({exc.strerror})")
            return ImageAnswers(file, "", 0, unread, unread)
        digest, earlier = hashlib.sha256(data).hexdigest(), self._earlier.get(file)
        if earlier and earlier.is_final and earlier.sha256 == digest:
            return earlier
        self._pace.turn()
        # At the same time, so that neither has the machine or the network for itself. The thread
        # is not a pool's: those are waited for at exit, after a second Ctrl+C too.
        found: dict[Caller, Answer] = {}
        other = threading.Thread(target=self._ask, args=(b, data, found), daemon=True)
        other.start()
        self._ask(a, data, found)
        other.join()
        if len(found) < 2:
            return None
        return ImageAnswers(file, digest, len(data), found[a], found[b])

    def _ask(self, caller: Caller, data: bytes, found: dict[Caller, Answer]) -> None:
        try:
            found[caller] = caller.ask(data)
        except Exception as exc:
            self._end(exc)

    def _take(self, answers: ImageAnswers) -> None:
        with self._lock:
            self._answers[answers.file] = answers
            self._ended = time.monotonic()
            if answers is not self._earlier.get(answers.file):
                self._keep(answers)
