"""One process' worth of host: loads the functions and serves them on the shared socket.

With one worker it lives in the only process there is; with more, ``supervisor`` runs one in each.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import logging
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import uvicorn

from local_host.config import HostConfig
from local_host.console import Console, route_logging_to
from local_host.failure import failure_text
from local_host.invoke import Invoker
from local_host.loader import LoadedFunction, LoadError, load_function, prepare_imports
from local_host.server import build_app

__all__ = ["BACKLOG", "GRACE_SECONDS", "Worker", "leave", "run_worker"]

BACKLOG = 2048
# Requests that run when the host is stopped get this long to end.
GRACE_SECONDS = 2
# As the real host's web server; a short one makes clients trip over connections that just closed.
KEEP_ALIVE_SECONDS = 130


class _Server(uvicorn.Server):
    """uvicorn's server, with what is not its business here taken away."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves signals to the supervisor; uvicorn would raise them anew after the clean stop."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for sock in sockets or ():
            # uvicorn's backlog of 1 makes a worker accept one connection at a time, so that the
            # others get theirs; the queue before it must stay long all the same.
            sock.listen(BACKLOG)
        self._on_ready()


class Worker:
    """Loads, serves, stops.

    Attributes:
        load_errors: for each function that did not load, what the console shows.
        is_serving: whether ``stop`` has something to end gracefully.
    """

    def __init__(self, config: HostConfig, console: Console) -> None:
        self._config = config
        self._console = console
        self._server: _Server | None = None
        self._stopping = False
        self._invoker = Invoker(
            console,
            threads=config.threads,
            timeout_seconds=config.host_file.function_timeout_seconds,
        )
        self.load_errors: dict[str, str] = {}

    @property
    def is_serving(self) -> bool:
        return self._server is not None and self._server.started

    @property
    def has_busy_threads(self) -> bool:
        """Whether a function keeps a thread, so that the interpreter would wait at its exit."""
        return self._invoker.has_busy_threads

    def load(self) -> dict[str, LoadedFunction]:
        """Loads every function; one that fails answers 500 and the others run.

        Disabled ones too, as the real host does: they can be run by hand.
        """
        route_logging_to(self._console)
        host_root = Path(__file__).resolve().parents[1]
        prepare_imports(self._config.root, host_root)
        os.chdir(self._config.root)
        loaded: dict[str, LoadedFunction] = {}
        for function in self._config.table.functions:
            try:
                loaded[function.name] = load_function(function)
            except Exception as exc:
                self.load_errors[function.name] = _explain(function.name, exc)
        return loaded

    async def serve(
        self, sock: socket.socket, loaded: dict[str, LoadedFunction], on_ready: Callable[[], None]
    ) -> None:
        """Serves until ``stop`` is called."""
        app = build_app(self._config, loaded, self.load_errors, self._invoker, self._console)
        shares_socket = self._config.workers > 1
        self._server = _Server(
            uvicorn.Config(
                app,
                http=_fastest_parser(),
                ws="none",
                loop="asyncio",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                backlog=1 if shares_socket else BACKLOG,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=GRACE_SECONDS,
            ),
            on_ready,
        )
        self._server.should_exit = self._stopping
        try:
            await self._server.serve(sockets=[sock])
        finally:
            self._invoker.close()

    def stop(self) -> None:
        """Ends ``serve`` soon; a second call ends it without waiting for requests."""
        # uvicorn reports requests that it cuts off as errors, with a traceback for each.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        if self._server is not None:
            self._server.force_exit = self._stopping
            self._server.should_exit = True
        self._stopping = True


def run_worker(worker: Worker, sock: socket.socket, on_ready: Callable[[], None]) -> None:
    """Loads and serves in this process, on a loop of its own."""
    loaded = worker.load()
    asyncio.run(worker.serve(sock, loaded, on_ready))


def leave(console: Console) -> NoReturn:
    """Ends the process although functions still run; the interpreter would wait for them."""
    console.line("Stopped while functions were running; they did not end.", "yellow")
    console.close()
    os._exit(0)


def _fastest_parser() -> Any:
    # httptools has no wheel for some machines; h11 comes with uvicorn.
    return "httptools" if importlib.util.find_spec("httptools") else "h11"


def _explain(name: str, error: Exception) -> str:
    """What the console says about a function that did not load."""
    if isinstance(error, LoadError):
        return f"The '{name}' function is in error: {error}"
    hint = (
        "Is the missing module in requirements.txt, and is it installed?"
        if isinstance(error, ImportError)
        else "It was raised while the function's module was imported."
    )
    return f"The '{name}' function is in error, so its calls fail. {hint}\n{failure_text(error)}"
