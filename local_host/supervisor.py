"""The parent: binds the socket's workers to life, and owns what must be single.

With one worker everything runs in this process. With more, each worker is a process of its own,
started with ``spawn`` (the only way that Windows has), and they share the listening socket. The
pipe between a worker and its parent carries small tuples, the first of which is their kind:

    worker -> parent   ("ready", {function: load error})   ("lines", text)
    parent -> worker   ("stop",)

When the parent is gone, the pipe ends and the worker ends too. What later must exist once for all
workers (queue polling with its leases, the SignalR stand-in) has its place in ``Supervisor._run``,
beside the workers on the same loop, and hands work down the same pipe; ``_Child`` is where the
work of a worker that died is known.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from types import FrameType
from typing import Any, NoReturn

from local_host.config import HostConfig
from local_host.console import Console
from local_host.worker import GRACE_SECONDS, Worker, run_worker

__all__ = ["run_host"]

STOP_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)
)
# A worker that cannot even get ready so many times in a row will not do so the next time.
FAILED_STARTS = 3
RESTART_SECONDS = 0.5

OnReady = Callable[[Mapping[str, str]], None]


def run_host(config: HostConfig, sock: socket.socket, console: Console, on_ready: OnReady) -> int:
    """Runs until SIGINT or SIGTERM.

    Args:
        config: what to run.
        sock: listening already.
        console: where lines go.
        on_ready: called once, with the load errors, when the first request can be answered.

    Returns:
        the exit status.
    """
    if config.workers == 1:
        return _run_alone(config, sock, console, on_ready)
    return asyncio.run(Supervisor(config, sock, console, on_ready).run())


def _run_alone(config: HostConfig, sock: socket.socket, console: Console, on_ready: OnReady) -> int:
    worker = Worker(config, console)

    def stop(number: int, frame: FrameType | None) -> None:
        if not worker.is_serving:
            raise SystemExit(0)
        worker.stop()

    for number in STOP_SIGNALS:
        signal.signal(number, stop)
    run_worker(worker, sock, lambda: on_ready(worker.load_errors))
    if worker.has_busy_threads:
        _leave(console)
    return 0


def _leave(console: Console) -> NoReturn:
    """Ends the process although functions still run; the interpreter would wait for them."""
    console.line("Stopped while functions were running; they did not end.", "yellow")
    console.close()
    os._exit(0)


class _Child:
    """A worker process as its parent sees it."""

    def __init__(self, number: int, config: HostConfig, sock: socket.socket) -> None:
        self.number = number
        self.is_ready = False
        spawn = multiprocessing.get_context("spawn")
        self.pipe, theirs = spawn.Pipe()
        self.process = spawn.Process(
            target=_child_main, args=(config, sock, theirs), name=f"worker-{number}"
        )
        self.process.start()
        theirs.close()

    def send(self, *message: Any) -> None:
        """Sends a message; a worker that is gone is reported elsewhere."""
        with contextlib.suppress(OSError):
            self.pipe.send(message)

    @property
    def ending(self) -> str:
        """How the process ended, in words."""
        code = self.process.exitcode
        if code is not None and code < 0:
            with contextlib.suppress(ValueError):
                return f"killed by {signal.Signals(-code).name}"
        return f"exit status {code}"


class Supervisor:
    """The parent of several workers."""

    def __init__(
        self, config: HostConfig, sock: socket.socket, console: Console, on_ready: OnReady
    ) -> None:
        self._config = config
        self._sock = sock
        self._console = console
        self._on_ready: OnReady | None = on_ready
        self._children: dict[int, _Child] = {}
        self._failed_starts = 0
        self._status = 0

    async def run(self) -> int:
        """Keeps the workers alive until a signal comes; returns the exit status."""
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        for number in STOP_SIGNALS:
            signal.signal(number, lambda *_: self._loop.call_soon_threadsafe(self._stop.set))
        for number in range(1, self._config.workers + 1):
            self._start(number)
        await self._stop.wait()
        await asyncio.to_thread(self._stop_children)
        return self._status

    def _start(self, number: int) -> None:
        if self._stop.is_set():
            return
        child = self._children[number] = _Child(number, self._config, self._sock)
        # A thread, because Windows' event loop cannot wait for a pipe of multiprocessing.
        threading.Thread(target=self._listen, args=(child,), daemon=True).start()

    def _listen(self, child: _Child) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has closed
            with contextlib.suppress(EOFError, OSError):
                while True:
                    message = child.pipe.recv()
                    self._loop.call_soon_threadsafe(self._on_message, child, *message)
            child.process.join()
            self._loop.call_soon_threadsafe(self._on_end, child)

    def _on_message(self, child: _Child, kind: str, content: Any) -> None:
        if kind == "lines":
            self._console.raw(content)
        elif kind == "ready":
            child.is_ready = True
            self._failed_starts = 0
            if self._on_ready is not None:
                self._on_ready(content)
                self._on_ready = None

    def _on_end(self, child: _Child) -> None:
        child.pipe.close()
        if self._stop.is_set():
            return
        what = f"Worker {child.number} (process {child.process.pid}) ended: {child.ending}."
        if child.is_ready:
            self._console.line(f"{what} Starting another.", "red")
            self._start(child.number)
            return
        self._failed_starts += 1
        if self._failed_starts >= FAILED_STARTS:
            self._console.line(f"{what} Workers cannot start, so the host stops.", "red")
            self._status = 1
            self._stop.set()
            return
        self._console.line(f"{what} It was not ready yet. Starting another.", "red")
        self._loop.call_later(RESTART_SECONDS, self._start, child.number)

    def _stop_children(self) -> None:
        for child in self._children.values():
            child.send("stop")
        deadline = time.monotonic() + GRACE_SECONDS + 2
        for child in self._children.values():
            child.process.join(max(0.0, deadline - time.monotonic()))
            if child.process.is_alive():
                child.process.kill()
                child.process.join()


def _child_main(config: HostConfig, sock: socket.socket, pipe: Connection) -> None:
    """What a worker process runs."""
    # Ctrl+C reaches every process of the terminal; the parent alone decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sending = threading.Lock()

    def send(kind: str, content: Any) -> None:
        with sending, contextlib.suppress(OSError):
            pipe.send((kind, content))

    console = Console(lambda text: send("lines", text), colour=config.colour)
    worker = Worker(config, console)
    loading_done = threading.Event()

    def obey() -> None:
        with contextlib.suppress(EOFError, OSError):
            pipe.recv()
        if not loading_done.is_set():
            os._exit(0)
        worker.stop()

    threading.Thread(target=obey, daemon=True).start()

    def on_ready() -> None:
        loading_done.set()
        send("ready", worker.load_errors)

    run_worker(worker, sock, on_ready)
    if worker.has_busy_threads:
        _leave(console)
    console.close()
