"""A SignalR emulator on a loop and a socket of its own, for tests that are not async."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, TypeVar

from local_host.console import Console
from local_host.signalr.senders import SignalREmulator, SignalREndpoint, connection_info
from local_host.sockets import listen

__all__ = ["HUB", "KEY", "RunningEmulator"]

HUB = "imageClassification"
KEY = "a-key-of-forty-characters-for-these-tests"
T = TypeVar("T")


class RunningEmulator:
    """The emulator, for the length of a ``with`` block.

    Attributes:
        endpoint: where it is.
        log: what it wrote to the console.
    """

    def __init__(self, port: int = 0) -> None:
        self._sock = listen("127.0.0.1", port)
        self.port: int = self._sock.getsockname()[1]
        self.endpoint = SignalREndpoint(f"http://127.0.0.1:{self.port}", KEY)
        self.log: list[str] = []

    def __enter__(self) -> RunningEmulator:
        self._console = Console(self.log.append)
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()))
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Ends it and closes its socket; a second call does nothing."""
        if self._thread.is_alive():
            self.run(self._stand_in.close())
        self._thread.join()
        self._sock.close()
        self._console.close()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs something on the emulator's loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    def send(self, *arguments: Any, hub: str = HUB, **receiver: str) -> None:
        """Sends one message of a function's output."""
        message = {"target": "newResult", "arguments": list(arguments), **receiver}
        self.run(self._stand_in.send(hub, message))

    def change_group(self, **action: str) -> None:
        """Does one group action of a function's output."""
        self.run(self._stand_in.send(HUB, action))

    def listeners(self) -> int:
        """How many clients would hear a broadcast."""
        return len(self._stand_in._hub(HUB).clients)

    def info(self, user: str | None = None) -> dict[str, str]:
        """What ``/api/negotiate`` would answer."""
        return connection_info(self.endpoint, HUB, user)

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stand_in = SignalREmulator(self._sock, self.endpoint, self._console)
        serving = asyncio.create_task(self._stand_in.serve())
        # What it accepts before it serves would wait in the socket's backlog, as in the host.
        self._loop.call_soon(self._ready.set)
        await serving
