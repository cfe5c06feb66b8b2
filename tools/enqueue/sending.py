"""Sends messages from several threads, with an optional rate limit, until stopped."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator

import urllib3

from tools.shared.errors import ToolError
from tools.shared.queue_client import encode

__all__ = ["Sender"]

CONNECT_SECONDS = 5
ANSWER_SECONDS = 30
ASK_AGAIN_SECONDS = 0.2
HEADERS = {"Content-Type": "application/xml"}


class Sender:
    """Sends texts to a queue.

    Args:
        url: the target of the POST requests, from ``tools.shared.queue_client.sending_url``.
        texts: the messages; an exception of the iterator stops the sending.
        threads: the number of threads that send.
        rate: messages a second at most; None sets no limit.
        room: returns how many more messages the queue should take now. It is called again when
            these are sent, and every fifth of a second while it returns 0 or less. None sets no
            limit.
        retries: the number of further attempts when the service is busy or does not answer.
    """

    def __init__(
        self,
        url: str,
        texts: Iterator[str],
        *,
        threads: int,
        rate: float | None = None,
        room: Callable[[], int] | None = None,
        retries: int = 4,
    ) -> None:
        # Warnings and exceptions of urllib3 show the URL with its signature.
        logging.getLogger("urllib3").setLevel(logging.ERROR)
        self._url, self._texts, self._rate, self._room = url, texts, rate, room
        self._free = 0
        self._pool = urllib3.PoolManager(
            maxsize=threads,
            # A repeated message may exist twice, under one id: delivery is at least once.
            retries=urllib3.Retry(
                retries,
                redirect=0,
                backoff_factor=0.5,
                allowed_methods=None,
                status_forcelist={408, 429, 500, 502, 503, 504},
                raise_on_status=False,
            ),
            timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=ANSWER_SECONDS),
        )
        self._turn = threading.Lock()  # of the thread that takes a text, even while it waits
        self._lock = threading.Lock()  # of the counters
        self._stop = threading.Event()
        self._taken = 0
        self._unsent: list[int] = []
        self._problem: Exception | None = None
        self._sent = 0
        self._started = time.monotonic()
        self._threads = [
            threading.Thread(target=self._work, name=f"sender {number}", daemon=True)
            for number in range(threads)
        ]

    def start(self) -> None:
        """Starts sending."""
        self._started = time.monotonic()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Takes no more texts, but sends those that were taken."""
        self._stop.set()

    def wait(self, seconds: float) -> bool:
        """Waits so long at most; returns whether all threads have ended."""
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        over = not any(thread.is_alive() for thread in self._threads)
        if over:
            self._pool.clear()
        return over

    @property
    def sent(self) -> int:
        """The number of messages in the queue so far."""
        return self._sent

    @property
    def sent_in_a_row(self) -> int:
        """The number of messages before the first unsent one; final once all threads ended."""
        return min(self._unsent, default=self._taken)

    @property
    def problem(self) -> Exception | None:
        """The error that stopped the sending: a ToolError, or an exception of ``texts``."""
        return self._problem

    def _work(self) -> None:
        while True:
            with self._turn:
                taken = self._take()
            if taken is None:
                return
            number, text = taken
            try:
                self._send(text)
            except Exception as exc:
                with self._lock:
                    self._unsent.append(number)
                    self._problem = self._problem or exc
                self._stop.set()
                return
            with self._lock:
                self._sent += 1

    def _take(self) -> tuple[int, str] | None:
        number = self._taken
        try:
            self._wait_for_turn(number)
            text = None if self._stop.is_set() else next(self._texts, None)
        except Exception as exc:
            self._problem = self._problem or exc
            self._stop.set()
            return None
        if text is None:
            self._stop.set()
            return None
        self._taken += 1
        return number, text

    def _wait_for_turn(self, number: int) -> None:
        if self._rate is not None:
            due = self._started + number / self._rate
            self._stop.wait(max(0.0, due - time.monotonic()))
        if self._room is not None:
            while self._free <= 0 and not self._stop.is_set():
                on_their_way = self._taken - self._sent - len(self._unsent)
                self._free = self._room() - on_their_way
                if self._free <= 0:
                    self._stop.wait(ASK_AGAIN_SECONDS)
            self._free -= 1

    def _send(self, text: str) -> None:
        body = f"<QueueMessage><MessageText>{encode(text)}</MessageText></QueueMessage>"
        try:
            response = self._pool.request("POST", self._url, body=body.encode(), headers=HEADERS)
        except urllib3.exceptions.HTTPError:
            raise ToolError("The storage account stopped answering.") from None
        if response.status != 201:
            code = response.headers.get("x-ms-error-code", "no code")
            raise ToolError(f"The storage account refused with {response.status} ({code}).")
