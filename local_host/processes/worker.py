"""Loads the functions in one process and serves them on the shared socket.

With one worker it runs in the only process; with more, ``supervisor`` runs one in each process.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

import uvicorn

from local_host.bindings.inputs import resolve_input
from local_host.bindings.outputs import OutputWriter, to_writes
from local_host.console import Console, route_logging_to
from local_host.functions.function_table import Binding, Function
from local_host.functions.invoker import FunctionFailed, Invoker
from local_host.functions.loader import LoadedFunction, LoadError, load_function, prepare_imports
from local_host.functions.tracebacks import failure_text
from local_host.host_config import HostConfig
from local_host.queues.message import QueueCall, trigger_value
from local_host.sockets import BACKLOG
from local_host.web.application import build_app

__all__ = ["GRACE_SECONDS", "Worker", "exit_now"]

# The time that running requests get to end when the host is stopped.
GRACE_SECONDS = 2
# As in the real host's web server; a shorter time makes clients use connections just closed.
KEEP_ALIVE_SECONDS = 130


class _Server(uvicorn.Server):
    """uvicorn's server without signal handling, with a callback and a longer backlog."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves signals to the supervisor; uvicorn would raise them again after the clean stop."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for sock in sockets or ():
            # uvicorn's backlog of 1 makes a worker accept one connection at a time, so that other
            # workers get a share; the kernel's queue must stay long nevertheless.
            sock.listen(BACKLOG)
        self._on_ready()


class Worker:
    """Loads the functions, serves them and stops.

    Attributes:
        load_errors: function -> the console's text, for each function that did not load.
    """

    def __init__(self, config: HostConfig, console: Console, write: OutputWriter) -> None:
        self._config = config
        self._console = console
        self._write = write
        self._loaded: dict[str, LoadedFunction] = {}
        self._server: _Server | None = None
        self._stopping = False
        self._invoker = Invoker(
            console,
            self._resolve_input,
            self._write_outputs,
            threads=config.threads,
            timeout_seconds=config.host_file.function_timeout_seconds,
        )
        self.load_errors: dict[str, str] = {}

    @property
    def is_serving(self) -> bool:
        """Whether ``serve`` runs, so that ``stop`` can end it gracefully."""
        return self._server is not None and self._server.started

    @property
    def has_busy_threads(self) -> bool:
        """Whether a function occupies a thread, for which the interpreter would wait at exit."""
        return self._invoker.has_busy_threads

    def load(self) -> None:
        """Loads every function; a function that fails answers 500, the others run.

        As in the real host, disabled functions are loaded, too: the admin endpoint can call them.
        """
        route_logging_to(self._console)
        host_root = Path(__file__).resolve().parents[2]
        prepare_imports(self._config.root, host_root)
        os.chdir(self._config.root)
        for function in self._config.table.functions:
            error = self._config.targets.errors.get(function.name)
            if error:
                text = f"The '{function.name}' function is in error: {error}"
                self.load_errors[function.name] = text
                continue
            try:
                self._loaded[function.name] = load_function(function)
            except Exception as exc:
                self.load_errors[function.name] = _explain(function.name, exc)

    async def serve(self, sock: socket.socket, on_ready: Callable[[], None]) -> None:
        """Serves until ``stop`` is called."""
        app = build_app(self._config, self._loaded, self.load_errors, self._invoker, self._console)
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
        await self._server.serve(sockets=[sock])

    async def ready(self) -> None:
        """Returns at once: the services start after this worker."""

    async def call_function(self, call: QueueCall) -> bool:
        """Calls a function for a queue message; the console shows its errors.

        Returns:
            whether the function succeeded.
        """
        loaded = self._loaded.get(call.function)
        if loaded is None:
            self._console.line(self.load_errors[call.function], "red")
            return False
        try:
            value = trigger_value(call, loaded.function.trigger.type)
            await self._invoker.invoke(loaded, value, call.reason, call.details)
        except FunctionFailed:
            return False
        return True

    def close(self) -> None:
        """Rejects new calls; does not wait for functions in threads."""
        self._invoker.close()

    def stop(self) -> None:
        """Makes ``serve`` return soon; a second call makes it abandon running requests."""
        # uvicorn reports abandoned requests as errors, with a traceback for each.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        if self._server is not None:
            self._server.force_exit = self._stopping
            self._server.should_exit = True
        self._stopping = True

    def _resolve_input(self, function: Function, binding: Binding, value: Any) -> Any:
        config = self._config
        return resolve_input(function, binding, value, config.targets, config.hubs, os.environ)

    async def _write_outputs(self, function: Function, values: Mapping[str, Any]) -> None:
        is_base64 = self._config.host_file.queues.is_base64
        writes = to_writes(function, values, self._config.targets, is_base64=is_base64)
        if writes:
            await self._write(writes)


def exit_now(console: Console) -> NoReturn:
    """Ends the process while functions still run; the interpreter would wait for them."""
    console.line("Stopped while functions were running; they did not end.", "yellow")
    console.close()
    os._exit(0)


def _fastest_parser() -> Any:
    # httptools has no wheel for some platforms; h11 comes with uvicorn.
    return "httptools" if importlib.util.find_spec("httptools") else "h11"


def _explain(name: str, error: Exception) -> str:
    """Returns the console's text for a function that did not load."""
    if isinstance(error, LoadError):
        return f"The '{name}' function is in error: {error}"
    hint = (
        "Is the missing module in requirements.txt, and is it installed?"
        if isinstance(error, ImportError)
        else "It was raised while the function's module was imported."
    )
    return f"The '{name}' function is in error, so its calls fail. {hint}\n{failure_text(error)}"
