"""Supervises the worker processes and owns the shared services.

With one worker everything runs in this process. With more, each worker is a separate process,
started with ``spawn`` (the only method on Windows), and they share the listening socket. The pipe
between a worker and its parent carries small tuples, whose first element is their kind:

    worker -> parent   ("ready", {function: load error})   ("lines", text)
                       ("called", number, succeeded)               ("write", number, [write])
    parent -> worker   ("stop",)
                       ("call", number, QueueCall)         ("written", number, error or None)

When the parent dies, the pipe closes and the worker ends, too. ``Services`` owns everything that
must exist once for all workers (queue polling, leases, storage, SignalR), on the same event loop.
``WorkerPool`` distributes the messages to the workers and knows the calls of a worker that died.
"""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import Any

from local_host.bindings.outputs import OutputFailed, Write
from local_host.console import Console
from local_host.host_config import HostConfig
from local_host.processes.cpu_affinity import pin_to_core
from local_host.processes.shared_services import Services
from local_host.processes.worker import GRACE_SECONDS, Worker, exit_now
from local_host.processes.worker_handle import WorkerHandle
from local_host.processes.worker_pool import WorkerPool

__all__ = ["run_host"]

STOP_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)
)
# After this many failed starts in a row another try is futile.
FAILED_STARTS = 3
RESTART_SECONDS = 0.5

OnReady = Callable[[Mapping[str, str]], None]


def run_host(
    config: HostConfig,
    sock: socket.socket,
    emulator: socket.socket | None,
    console: Console,
    on_ready: OnReady,
) -> int:
    """Runs until SIGINT or SIGTERM.

    Args:
        config: the host's configuration.
        sock: a listening socket.
        emulator: a listening socket for the SignalR emulator, if one is needed.
        console: receives the lines.
        on_ready: called once with the load errors, when the host can answer requests.

    Returns:
        the exit status.
    """
    services = Services(config, console, emulator)
    if config.workers == 1:
        return _run_alone(config, sock, services, console, on_ready)
    return asyncio.run(Supervisor(config, sock, services, console, on_ready).run())


def _run_alone(
    config: HostConfig,
    sock: socket.socket,
    services: Services,
    console: Console,
    on_ready: OnReady,
) -> int:
    if config.pin_workers:
        pin_to_core(1)
    worker = Worker(config, console, services.write)

    loop: asyncio.AbstractEventLoop | None = None

    def stop(number: int, frame: FrameType | None) -> None:
        if loop is None or not worker.is_serving:
            raise SystemExit(0)
        worker.stop()
        loop.call_soon_threadsafe(services.stop_polling)

    def ready() -> None:
        nonlocal loop
        loop = asyncio.get_running_loop()
        on_ready(worker.load_errors)
        services.start(worker, worker.load_errors)

    async def serve() -> None:
        await worker.serve(sock, ready)
        await services.drain(GRACE_SECONDS)
        worker.close()
        await services.close()

    for number in STOP_SIGNALS:
        signal.signal(number, stop)
    worker.load()
    asyncio.run(serve())
    if worker.has_busy_threads:
        exit_now(console)
    return 0


class Supervisor:
    """Starts, restarts and stops several worker processes."""

    def __init__(
        self,
        config: HostConfig,
        sock: socket.socket,
        services: Services,
        console: Console,
        on_ready: OnReady,
    ) -> None:
        self._config = config
        self._sock = sock
        self._console = console
        self._on_ready: OnReady | None = on_ready
        self._workers: dict[int, WorkerHandle] = {}
        self._pool = WorkerPool()
        self._services = services
        self._writes: set[asyncio.Task[None]] = set()
        self._failed_starts = 0
        self._status = 0

    async def run(self) -> int:
        """Keeps the workers alive until a signal arrives; returns the exit status."""
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        for number in STOP_SIGNALS:
            signal.signal(number, lambda *_: self._loop.call_soon_threadsafe(self._stop.set))
        for number in range(1, self._config.workers + 1):
            self._start(number)
        await self._stop.wait()
        self._services.stop_polling()
        await self._services.drain(GRACE_SECONDS)
        workers = list(self._workers.values())
        await asyncio.to_thread(WorkerHandle.stop_all, workers, GRACE_SECONDS + 2)
        await self._services.close()
        return self._status

    def _start(self, number: int) -> None:
        if self._stop.is_set():
            return
        worker = self._workers[number] = WorkerHandle(number, self._config, self._sock)
        worker.connect(self._loop, self._on_message, self._on_end)

    def _on_message(self, worker: WorkerHandle, kind: str, *content: Any) -> None:
        match kind, content:
            case "lines", (text,):
                self._console.raw(text)
            case "ready", (load_errors,):
                self._on_worker_ready(worker, load_errors)
            case "called", (number, succeeded):
                self._pool.on_called(worker, number, succeeded)
            case "write", (number, writes):
                task = self._loop.create_task(self._write(worker, number, writes))
                self._writes.add(task)
                task.add_done_callback(self._writes.discard)

    def _on_worker_ready(self, worker: WorkerHandle, load_errors: Mapping[str, str]) -> None:
        worker.is_ready = True
        self._failed_starts = 0
        self._pool.add(worker)
        if self._on_ready is not None:
            self._on_ready(load_errors)
            self._on_ready = None
            self._services.start(self._pool, load_errors)

    async def _write(self, worker: WorkerHandle, number: int, writes: Sequence[Write]) -> None:
        try:
            await self._services.write(writes)
        except OutputFailed as exc:
            worker.send("written", number, str(exc))
        else:
            worker.send("written", number, None)

    def _on_end(self, worker: WorkerHandle) -> None:
        worker.close()
        self._pool.remove(worker)
        if self._stop.is_set():
            return
        ending = f"Worker {worker.number} (process {worker.pid}) ended: {worker.ending}."
        if worker.is_ready:
            self._console.line(f"{ending} Starting another.", "red")
            self._start(worker.number)
            return
        self._failed_starts += 1
        if self._failed_starts >= FAILED_STARTS:
            self._console.line(f"{ending} Workers cannot start, so the host stops.", "red")
            self._status = 1
            self._stop.set()
            return
        self._console.line(f"{ending} It was not ready yet. Starting another.", "red")
        self._loop.call_later(RESTART_SECONDS, self._start, worker.number)
