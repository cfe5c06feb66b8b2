"""Sends every image to both endpoints side by side, from several threads, until stopped."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from tools.compare.answer_log import Answer, ImageAnswers
from tools.compare.endpoint import Endpoint
from tools.compare.http_client import HttpClient
from tools.compare.rate_limit import RateLimit, StoppedError

__all__ = ["ImageSender"]


class ImageSender:
    """Sends all images to both endpoints.

    Args:
        endpoints: A and B.
        folder: the folder of the images.
        images: files in the folder.
        keep: called with the answers to each image, from one thread at a time.
        rate: images a second at most.
        threads: the number of images that are sent at once.
        timeout: seconds that a reply may take.
        pause: seconds before a second attempt.
        earlier: known answers, by file; final ones are taken while the file is the same.
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
        self._rate_limit = RateLimit(rate)
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
        """The answers so far, by file."""
        with self._lock:
            return sorted(self._answers.values(), key=lambda each: each.file)

    @property
    def done(self) -> int:
        """The number of images with answers."""
        return len(self._answers)

    @property
    def problem(self) -> Exception | None:
        """The error that ended the run early: a ToolError, or the error that ``keep`` raised."""
        return self._problem

    @property
    def seconds(self) -> float:
        """Seconds from the start to the last answer."""
        return self._ended - self._started

    def start(self) -> None:
        """Starts the threads."""
        self._started = self._ended = time.monotonic()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Takes no more images; requests under way are awaited, but not repeated."""
        self._rate_limit.stop()

    def wait(self, seconds: float) -> bool:
        """Waits so long at most; returns whether all threads have ended."""
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self) -> None:
        a, b = (
            HttpClient(endpoint, self._rate_limit, timeout=self._timeout, pause=self._pause)
            for endpoint in self._endpoints
        )
        try:
            while True:
                with self._lock:
                    path = None if self._rate_limit.stopped else next(self._images, None)
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
        """Ends all threads; none waits for another attempt."""
        if not isinstance(problem, StoppedError):
            with self._lock:
                self._problem = self._problem or problem
        self._rate_limit.stop()

    def _answers_to(self, path: Path, a: HttpClient, b: HttpClient) -> ImageAnswers | None:
        """Both answers; None if the run was stopped before."""
        file = path.relative_to(self._folder).as_posix()
        try:
            data = path.read_bytes()
        except OSError as exc:
            unread = Answer(error=f"was not asked: the file cannot be read ({exc.strerror})")
            return ImageAnswers(file, "", 0, unread, unread)
        digest, earlier = hashlib.sha256(data).hexdigest(), self._earlier.get(file)
        if earlier and earlier.is_final and earlier.sha256 == digest:
            return earlier
        self._rate_limit.turn()
        # At the same time, so that neither has the machine or the network for itself. The thread
        # is not from a pool: at exit Python waits for these, even after a second Ctrl+C.
        received: dict[HttpClient, Answer] = {}
        other = threading.Thread(target=self._ask, args=(b, data, received), daemon=True)
        other.start()
        self._ask(a, data, received)
        other.join()
        if len(received) < 2:
            return None
        return ImageAnswers(file, digest, len(data), received[a], received[b])

    def _ask(self, client: HttpClient, data: bytes, received: dict[HttpClient, Answer]) -> None:
        try:
            received[client] = client.ask(data)
        except Exception as exc:
            self._end(exc)

    def _take(self, answers: ImageAnswers) -> None:
        with self._lock:
            self._answers[answers.file] = answers
            self._ended = time.monotonic()
            if answers is not self._earlier.get(answers.file):
                self._keep(answers)
