"""Starts a worker process for its parent and exchanges messages with it."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import queue
import signal
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from local_host.host_config import HostConfig
from local_host.processes.worker_process import worker_main

__all__ = ["WorkerHandle"]


class WorkerHandle:
    """One worker process. Call all methods but ``stop_all`` on the parent's event loop.

    Attributes:
        number: 1 for the first worker, and so on; a replacement keeps the number.
        is_ready: whether the worker serves requests.
    """

    def __init__(self, number: int, config: HostConfig, sock: socket.socket) -> None:
        self.number = number
        self.is_ready = False
        spawn = multiprocessing.get_context("spawn")
        self._pipe, theirs = spawn.Pipe()
        self._outbox: queue.SimpleQueue[tuple[Any, ...] | None] = queue.SimpleQueue()
        self._process = spawn.Process(
            target=worker_main, args=(number, config, sock, theirs), name=f"worker-{number}"
        )
        self._process.start()
        theirs.close()

    @property
    def pid(self) -> int | None:
        """The process id."""
        return self._process.pid

    @property
    def ending(self) -> str:
        """The exit status or signal of the process, as text."""
        code = self._process.exitcode
        if code is not None and code < 0:
            with contextlib.suppress(ValueError):
                return f"killed by {signal.Signals(-code).name}"
        return f"exit status {code}"

    def connect(
        self,
        loop: asyncio.AbstractEventLoop,
        on_message: Callable[..., None],
        on_end: Callable[[WorkerHandle], None],
    ) -> None:
        """Starts to exchange messages with the worker.

        Args:
            loop: the event loop for the callbacks.
            on_message: called with the worker, the message's kind and its contents.
            on_end: called last, when the process has ended.
        """

        def receive() -> None:
            with contextlib.suppress(RuntimeError):  # the loop has closed
                with contextlib.suppress(EOFError, OSError):
                    while True:
                        loop.call_soon_threadsafe(on_message, self, *self._pipe.recv())
                self._process.join()
                self._outbox.put(None)
                loop.call_soon_threadsafe(on_end, self)

        # Threads, because Windows' event loop cannot wait for a pipe of multiprocessing; one for
        # each direction, so that a worker that does not read cannot block the loop.
        for target in (receive, self._send):
            threading.Thread(target=target, name=f"worker-{self.number}", daemon=True).start()

    def send(self, *message: Any) -> None:
        """Sends a message; ``on_end`` reports a worker that has died."""
        self._outbox.put(message)

    def close(self) -> None:
        """Closes the pipe; call it when the process has ended."""
        self._pipe.close()

    @staticmethod
    def stop_all(workers: list[WorkerHandle], seconds: float) -> None:
        """Stops the workers, and kills those still alive after ``seconds``. Blocks."""
        for worker in workers:
            worker.send("stop")
        deadline = time.monotonic() + seconds
        for worker in workers:
            worker._process.join(max(0.0, deadline - time.monotonic()))
            if worker._process.is_alive():
                worker._process.kill()
                worker._process.join()

    def _send(self) -> None:
        with contextlib.suppress(OSError):
            while (message := self._outbox.get()) is not None:
                self._pipe.send(message)
