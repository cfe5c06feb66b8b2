"""A worker process as its parent sees it: the process, the pipe to it, the calls it has."""

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

from local_host.config import HostConfig
from local_host.processes.worker_process import worker_main

__all__ = ["WorkerHandle"]


class WorkerHandle:
    """One worker process. All methods but ``stop_all`` belong to the parent's loop.

    Attributes:
        number: 1 for the first worker, and so on; one that replaces another has its number.
        is_ready: whether it serves.
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
        """The id of the process."""
        return self._process.pid

    @property
    def ending(self) -> str:
        """How the process ended, in words."""
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
        """Calls back on the loop: ``on_message(worker, kind, …)``, and ``on_end(worker)`` last."""

        def receive() -> None:
            with contextlib.suppress(RuntimeError):  # the loop has closed
                with contextlib.suppress(EOFError, OSError):
                    while True:
                        loop.call_soon_threadsafe(on_message, self, *self._pipe.recv())
                self._process.join()
                self._outbox.put(None)
                loop.call_soon_threadsafe(on_end, self)

        # Threads, because Windows' event loop cannot wait for a pipe of multiprocessing; one for
        # each direction, so that a worker that does not read cannot hold up the loop.
        for work in (receive, self._send):
            threading.Thread(target=work, name=f"worker-{self.number}", daemon=True).start()

    def send(self, *message: Any) -> None:
        """Sends a message; a worker that is gone is reported by ``on_end``."""
        self._outbox.put(message)

    def close(self) -> None:
        """To be called when the process has ended."""
        self._pipe.close()

    @staticmethod
    def stop_all(workers: list[WorkerHandle], seconds: float) -> None:
        """Tells all to stop and waits; those that do not are killed. Blocks."""
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
