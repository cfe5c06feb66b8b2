"""Holds one message of a queue until it is deleted or released."""

from __future__ import annotations

import asyncio

from local_host.queues.backoff import retry_pauses
from local_host.queues.message import RawMessage
from local_host.queues.storage_client import StorageError, StorageQueues, StorageUnavailable

__all__ = ["Lease"]


class Lease:
    """One message that this host holds until it is deleted, released or expired.

    Attributes:
        message: the message as last fetched.
        is_done: whether its function has ended, with any outcome.
    """

    def __init__(
        self, storage: StorageQueues, queue: str, message: RawMessage, hidden_seconds: int
    ) -> None:
        self._storage = storage
        self._queue = queue
        self._hidden_seconds = hidden_seconds
        self._receipt = message.pop_receipt
        # The loop's clock, which is monotonic; tests replace it by a loop with another clock.
        self._clock = asyncio.get_running_loop().time
        self._since = self._clock()
        # A receipt is valid for one change only, so changes are made one at a time.
        self._changing = asyncio.Lock()
        self._adopted = asyncio.Event()
        self.message = message
        self.is_done = False

    def adopt(self, message: RawMessage) -> None:
        """Takes over the receipt of the same message, which the service delivered again."""
        self.message = message
        self._receipt = message.pop_receipt
        self._since = self._clock()
        self._adopted.set()

    async def renew_if_due(self) -> None:
        """Hides the message for its full time again, once half of that time is over.

        Raises:
            StorageUnavailable: the service cannot be reached.
            StorageError: this host no longer holds the message.
        """
        if self._clock() - self._since < self._hidden_seconds / 2:
            return
        async with self._changing:
            self._receipt = await self._storage.hide(
                self._queue, self.message.id, self._receipt, self._hidden_seconds
            )
            self._since = self._clock()

    async def delete(self) -> None:
        """Deletes the message; retries until the service answers."""
        await self._retry(None)

    async def release(self, seconds: int) -> None:
        """Makes the message visible again in ``seconds``; retries until the service answers."""
        await self._retry(seconds)

    async def try_release(self) -> bool:
        """Makes the message visible at once, with one try.

        Returns:
            whether it succeeded.
        """
        try:
            await self._change(0)
        except (StorageError, StorageUnavailable):
            return False
        return True

    async def _retry(self, seconds: int | None) -> None:
        pauses = retry_pauses()
        while True:
            try:
                await self._change(seconds)
                return
            except StorageUnavailable:
                await asyncio.sleep(next(pauses))
            except StorageError as exc:
                # Not found: the message is gone already. Otherwise the receipt is stale, because an
                # answer was lost or the lease expired: the service will deliver the message again,
                # perhaps to this host, and it must not run again.
                if exc.status == 404 or not await self._is_delivered_again():
                    return

    async def _change(self, seconds: int | None) -> None:
        async with self._changing:
            self._adopted.clear()
            id, receipt = self.message.id, self._receipt
            if seconds is None:
                await self._storage.delete(self._queue, id, receipt)
            else:
                await self._storage.hide(self._queue, id, receipt, seconds)

    async def _is_delivered_again(self) -> bool:
        try:
            async with asyncio.timeout(2 * self._hidden_seconds):
                await self._adopted.wait()
        except TimeoutError:
            return False
        return True
