"""Runs a worker in its own process, with its end of the pipe to the parent."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
import socket
import threading
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import Any

from local_host.bindings.outputs import OutputFailed, Write
from local_host.console import Console
from local_host.host_config import HostConfig
from local_host.processes.cpu_affinity import pin_to_core
from local_host.processes.worker import Worker, exit_now
from local_host.queues.message import QueueCall

__all__ = ["worker_main"]


def worker_main(number: int, config: HostConfig, sock: socket.socket, pipe: Connection) -> None:
    """Serves until the parent sends stop or dies."""
    if config.pin_workers:
        pin_to_core(number)
    # Ctrl+C reaches every process of the terminal; only the parent handles it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    channel = ParentChannel(pipe)
    console = Console(lambda text: channel.send("lines", text), colour=config.colour)
    worker = Worker(config, console, channel.write)
    is_loading = True

    def on_stop() -> None:
        if is_loading:
            os._exit(0)
        worker.stop()

    async def serve() -> None:
        def on_ready() -> None:
            nonlocal is_loading
            is_loading = False
            channel.send("ready", worker.load_errors)

        channel.join_loop(worker)
        await worker.serve(sock, on_ready)

    threading.Thread(target=channel.receive, args=(on_stop,), daemon=True).start()
    worker.load()
    asyncio.run(serve())
    worker.close()
    if worker.has_busy_threads:
        exit_now(console)
    console.close()


class ParentChannel:
    """The pipe to the parent; ``supervisor`` lists its messages."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._sending = threading.Lock()
        self._numbers = itertools.count(1)
        self._writes: dict[int, asyncio.Future[str | None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def join_loop(self, worker: Worker) -> None:
        """Makes the calls of ``worker`` on the running loop from now on."""
        self._worker = worker
        self._loop = asyncio.get_running_loop()

    def send(self, kind: str, *content: Any) -> None:
        """Sends a message; if the parent has died, this process ends soon."""
        with self._sending, contextlib.suppress(OSError):
            self._pipe.send((kind, *content))

    async def write(self, writes: Sequence[Write]) -> None:
        """Sends the writes to the parent and waits until they are performed.

        Raises:
            OutputFailed: a write failed; the parent gives the message.
        """
        number = next(self._numbers)
        future = self._writes[number] = self._loop.create_future()
        self.send("write", number, writes)
        try:
            error = await future
        finally:
            del self._writes[number]
        if error is not None:
            raise OutputFailed(error)

    def receive(self, on_stop: Callable[[], None]) -> None:
        """Receives messages until the parent sends stop or dies; then calls ``on_stop``."""
        with contextlib.suppress(EOFError, OSError):
            while (message := self._pipe.recv()) != ("stop",):
                with contextlib.suppress(RuntimeError):  # the loop has closed
                    self._loop.call_soon_threadsafe(self._on_message, *message)
        on_stop()

    def _on_message(self, kind: str, number: int, content: Any) -> None:
        if kind == "call":
            task = self._loop.create_task(self._call(number, content))
            # The loop keeps only weak references to tasks.
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif kind == "written" and number in self._writes:
            self._writes[number].set_result(content)

    async def _call(self, number: int, call: QueueCall) -> None:
        succeeded = False
        try:
            succeeded = await self._worker.call_function(call)
        finally:
            self.send("called", number, succeeded)
