from __future__ import annotations

import asyncio
import time

from local_host.queues.message import RawMessage
from local_host.queues.storage_client import StorageError, StorageQueues, StorageUnavailable

__all__ = ["Lease"]

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 2.0


class Lease:
    """One message that is ours until it is deleted, released, or out of time.

    Attributes:
        message: as it was fetched last.
        is_done: whether its function has ended, whatever came of it.
    """

    def __init__(
        self, storage: StorageQueues, queue: str, message: RawMessage, hidden_seconds: int
    ) -> None:
        self._storage = storage
        self._queue = queue
        self._hidden_seconds = hidden_seconds
        self._receipt = message.pop_receipt
        self._since = time.monotonic()
        # A receipt is good for one change only, so changes go one after the other.
        self._changing = asyncio.Lock()
        self._fetched_anew = asyncio.Event()
        self.message = message
        self.is_done = False

    def adopt(self, message: RawMessage) -> None:
        """Takes over the receipt of the same message, which the service handed out once more."""
        self.message = message
        self._receipt = message.pop_receipt
        self._since = time.monotonic()
        self._fetched_anew.set()

    async def renew_if_due(self) -> None:
        """Keeps the message out of sight for its whole time again, when half of it is over.

        Raises:
            StorageUnavailable: the service cannot be reached.
            StorageError: the message is not ours any more.
        """
        if time.monotonic() - self._since < self._hidden_seconds / 2:
            return
        async with self._changing:
            self._receipt = await self._storage.hide(
                self._queue, self.message.id, self._receipt, self._hidden_seconds
            )
            self._since = time.monotonic()

    async def delete(self) -> None:
        """Deletes the message, however long that takes."""
        await self._insist(None)

    async def release(self, seconds: int) -> None:
        """Gives the message back, to be seen again in so many seconds, however long that takes."""
        await self._insist(seconds)

    async def try_release(self) -> bool:
        """Gives the message back at once, if the service does so at the first try."""
        try:
            await self._change(0)
        except (StorageError, StorageUnavailable):
            return False
        return True

    async def _insist(self, seconds: int | None) -> None:
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                await self._change(seconds)
                return
            except StorageUnavailable:
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
            except StorageError as exc:
                # Not found: it is gone already. Else the receipt is stale, because an answer to a
                # change was lost or our time was over: then the message comes once more, to us
                # perhaps, and must not be run again.
                if exc.status == 404 or not await self._comes_again():
                    return

    async def _change(self, seconds: int | None) -> None:
        async with self._changing:
            self._fetched_anew.clear()
            id, receipt = self.message.id, self._receipt
            if seconds is None:
                await self._storage.delete(self._queue, id, receipt)
            else:
                await self._storage.hide(self._queue, id, receipt, seconds)

    async def _comes_again(self) -> bool:
        try:
            async with asyncio.timeout(2 * self._hidden_seconds):
                await self._fetched_anew.wait()
        except TimeoutError:
            return False
        return True
