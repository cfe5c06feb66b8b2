"""Owns the services of all workers: queue listeners, storage connections and SignalR.

Runs on the supervisor's event loop. Modules are imported and connections opened on first use, so
that queues do not slow the start of the host.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import socket
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from local_host.bindings.outputs import OutputFailed, QueueWrite, SignalRWrite, Write
from local_host.console import Console
from local_host.host_config import HostConfig

if TYPE_CHECKING:
    from local_host.queues.listener import QueueListener
    from local_host.queues.message import FunctionCaller
    from local_host.queues.storage_account import StorageAccount
    from local_host.queues.storage_client import StorageQueues
    from local_host.signalr.endpoint import SignalREndpoint
    from local_host.signalr.senders import Sender

__all__ = ["Services"]

RELEASE_SECONDS = 1.0


class Services:
    """The shared services, from ``start`` to ``close``."""

    def __init__(
        self, config: HostConfig, console: Console, emulator: socket.socket | None = None
    ) -> None:
        """Prepares the services without opening a connection.

        Args:
            config: the host's configuration.
            console: receives the lines.
            emulator: the socket for clients of the SignalR emulator, if there is one.
        """
        self._config = config
        self._console = console
        self._emulator_socket = emulator
        self._opening: asyncio.Task[None] | None = None
        self._serving_emulator: asyncio.Task[None] | None = None
        self._senders: dict[SignalREndpoint, Sender] = {}
        self._storages: dict[StorageAccount, StorageQueues] = {}
        self._listeners: list[QueueListener] = []
        self._starting: asyncio.Task[None] | None = None
        self._stopping = False

    def start(self, caller: FunctionCaller, broken: Collection[str]) -> None:
        """Starts to read queues, on the running loop.

        Args:
            caller: calls the functions.
            broken: functions that did not load; their messages stay in the queue.
        """
        self._starting = asyncio.create_task(self._start(caller, broken))
        if self._emulator_socket is not None:
            try:
                asyncio.get_running_loop().add_reader(self._emulator_socket, self._open_emulator)
            except NotImplementedError:
                # Windows' event loop cannot watch a socket for its first client.
                self._open_emulator()

    async def write(self, writes: Sequence[Write]) -> None:
        """Performs the writes of one call, in order.

        Raises:
            OutputFailed: a write failed; the writes before it were performed.
        """
        for write in writes:
            if isinstance(write, QueueWrite):
                await self._put(write)
            else:
                await self._send(write)

    def stop_polling(self) -> None:
        """Stops fetching messages; running messages continue."""
        self._stopping = True
        for listener in self._listeners:
            listener.stop_polling()

    async def drain(self, seconds: float) -> None:
        """Waits at most ``seconds`` for the running messages to end."""
        await asyncio.gather(*(listener.drain(seconds) for listener in self._listeners))

    async def close(self) -> None:
        """Releases the messages that did not end and closes all connections."""
        if self._starting is not None:
            await self._starting
        if self._opening is not None:
            await self._opening
        elif self._emulator_socket is not None:
            with contextlib.suppress(NotImplementedError):
                asyncio.get_running_loop().remove_reader(self._emulator_socket)
        counts = [await listener.release(RELEASE_SECONDS) for listener in self._listeners]
        if sum(counts):
            summary = (
                "1 message back to its queue: it had"
                if sum(counts) == 1
                else (f"{sum(counts)} messages back to their queues: they had")
            )
            self._console.line(f"Gave {summary} not ended.", "yellow")
        for storage in self._storages.values():
            await storage.close()
        for sender in self._senders.values():
            await sender.close()
        if self._serving_emulator is not None:
            await self._serving_emulator

    async def _start(self, caller: FunctionCaller, broken: Collection[str]) -> None:
        readers = self._config.targets.readers
        names = [name for name in readers if name not in broken]
        if not names:
            return
        # In a thread: the imports take a third of a second, and the first requests are waiting.
        await asyncio.to_thread(importlib.import_module, "local_host.queues.listener")
        from local_host.queues.listener import QueueListener

        if self._stopping:
            return
        queues = self._config.host_file.queues
        for name in names:
            listener = QueueListener(
                name,
                readers[name],
                queues,
                self._storage(readers[name].account),
                caller,
                self._console,
                polling_seconds=queues.polling_seconds(self._config.environment),
            )
            self._listeners.append(listener)
            listener.start()

    def _open_emulator(self) -> None:
        """Starts the emulator at its first client or message; most runs have neither."""
        if self._opening is not None or self._emulator_socket is None:
            return
        with contextlib.suppress(NotImplementedError):
            asyncio.get_running_loop().remove_reader(self._emulator_socket)
        self._opening = asyncio.create_task(self._start_emulator(self._emulator_socket))

    async def _start_emulator(self, sock: socket.socket) -> None:
        await asyncio.to_thread(importlib.import_module, "local_host.signalr.senders")
        from local_host.signalr.senders import SignalREmulator

        endpoint = self._config.hubs.emulator
        assert endpoint is not None
        emulator = self._senders[endpoint] = SignalREmulator(sock, endpoint, self._console)
        self._serving_emulator = asyncio.create_task(emulator.serve())

    async def _send(self, write: SignalRWrite) -> None:
        endpoint = self._config.hubs.services[write.target.setting]
        if endpoint == self._config.hubs.emulator:
            self._open_emulator()
            if self._opening is not None:
                await asyncio.shield(self._opening)
        from local_host.signalr.senders import AzureSignalRService, SignalRError

        if endpoint not in self._senders:
            self._senders[endpoint] = AzureSignalRService(endpoint)
        try:
            await self._senders[endpoint].send(write.target.hub, write.message)
        except SignalRError as exc:
            raise OutputFailed(str(exc)) from exc

    def _storage(self, account: StorageAccount) -> StorageQueues:
        from local_host.queues.storage_client import StorageQueues
        from local_host.queues.storage_monitor import StorageMonitor

        if account not in self._storages:
            targets = self._config.targets.readers.items()
            readers = [name for name, target in targets if target.account == account]
            monitor = StorageMonitor(account, readers, self._console)
            self._storages[account] = StorageQueues(account, monitor)
        return self._storages[account]

    async def _put(self, write: QueueWrite) -> None:
        from local_host.queues.storage_client import StorageError, StorageUnavailable

        target = write.target
        try:
            await self._storage(target.account).put_and_create(target.queue, write.text)
        except (StorageError, StorageUnavailable) as exc:
            raise OutputFailed(
                f"Nothing could be put into queue '{target.queue}' at {target.account.endpoint}: "
                f"{exc}"
            ) from exc
        for listener in self._listeners:
            if listener.target == target:
                listener.wake()
