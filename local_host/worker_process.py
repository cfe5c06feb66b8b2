"""What a worker process runs, and its end of the pipe to the parent."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
from multiprocessing.connection import Connection
from typing import Any

from local_host.config import HostConfig
from local_host.console import Console
from local_host.worker import Worker, leave, run_worker

__all__ = ["worker_main"]


def worker_main(config: HostConfig, sock: socket.socket, pipe: Connection) -> None:
    """Serves until the parent says stop or is gone."""
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
        leave(console)
    console.close()
