"""The queue service in memory, on the loop's clock; it fails when a test says so."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
from collections import defaultdict
from datetime import UTC, datetime
from typing import TypeVar

from local_host.queues.message import RawMessage
from local_host.queues.storage_account import StorageAccount
from local_host.queues.storage_client import StorageError, StorageQueues

__all__ = ["ACCOUNT", "MemoryQueues"]

Result = TypeVar("Result")

ACCOUNT = StorageAccount("http://127.0.0.1:1/account", "account", b"key", setting="S")
NEVER = datetime.max.replace(tzinfo=UTC)


@dataclasses.dataclass
class _Stored:
    message: RawMessage
    visible_at: float


class MemoryQueues(StorageQueues):
    """Queues with the service's rules: visibility, dequeue counts, receipts for one change.

    Attributes:
        failures: operation -> errors for its next calls, before they have an effect.
        lost_answers: operation -> errors for its next calls, after they had their effect.
        operations: every call, as (operation, time by the loop's clock).
    """

    def __init__(self) -> None:
        self.account = ACCOUNT
        self.failures: dict[str, list[Exception]] = defaultdict(list)
        self.lost_answers: dict[str, list[Exception]] = defaultdict(list)
        self.operations: list[tuple[str, float]] = []
        self.queues: dict[str, dict[str, _Stored]] = {}
        self._numbers = itertools.count(1)

    def count(self, operation: str) -> int:
        """How often an operation was called."""
        return sum(name == operation for name, _ in self.operations)

    def texts(self, queue: str) -> list[str]:
        """All messages of a queue, hidden ones included."""
        return [stored.message.text for stored in self.queues.get(queue, {}).values()]

    def visible(self, queue: str) -> list[str]:
        """The messages of a queue that a fetch would return now."""
        now = self._now()
        stored = self.queues.get(queue, {}).values()
        return [one.message.text for one in stored if one.visible_at <= now]

    def deliver(self, queue: str, count: int, hidden_seconds: int) -> list[RawMessage]:
        """Fetches as another host would, without failures."""
        messages: list[RawMessage] = []
        for stored in self.queues[queue].values():
            if stored.visible_at <= self._now() and len(messages) < count:
                stored.visible_at = self._now() + hidden_seconds
                stored.message = dataclasses.replace(
                    stored.message,
                    pop_receipt=self._receipt(),
                    dequeue_count=stored.message.dequeue_count + 1,
                )
                messages.append(stored.message)
        return messages

    async def close(self) -> None:
        """Only counted: nothing is open."""
        self.operations.append(("close", self._now()))

    async def get(self, queue: str, count: int, hidden_seconds: int) -> list[RawMessage]:
        assert 1 <= count <= 32
        await self._begin("get")
        self._queue(queue)
        return self._end("get", self.deliver(queue, count, hidden_seconds))

    async def put(self, queue: str, text: str) -> None:
        await self._begin("put")
        id = str(next(self._numbers))
        epoch = datetime.fromtimestamp(0, UTC)
        message = RawMessage(id, text, self._receipt(), 0, epoch, NEVER, epoch)
        self._queue(queue)[id] = _Stored(message, self._now())
        self._end("put", None)

    async def create(self, queue: str) -> None:
        await self._begin("create")
        self.queues.setdefault(queue, {})
        self._end("create", None)

    async def hide(self, queue: str, id: str, pop_receipt: str, seconds: int) -> str:
        await self._begin("hide")
        stored = self._owned(queue, id, pop_receipt)
        stored.visible_at = self._now() + seconds
        stored.message = dataclasses.replace(stored.message, pop_receipt=self._receipt())
        return self._end("hide", stored.message.pop_receipt)

    async def delete(self, queue: str, id: str, pop_receipt: str) -> None:
        await self._begin("delete")
        self._owned(queue, id, pop_receipt)
        del self._queue(queue)[id]
        self._end("delete", None)

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _receipt(self) -> str:
        return f"receipt-{next(self._numbers)}"

    def _queue(self, name: str) -> dict[str, _Stored]:
        if name not in self.queues:
            raise StorageError(404, "QueueNotFound", name)
        return self.queues[name]

    def _owned(self, queue: str, id: str, pop_receipt: str) -> _Stored:
        stored = self._queue(queue).get(id)
        if stored is None:
            raise StorageError(404, "MessageNotFound", id)
        if stored.message.pop_receipt != pop_receipt:
            raise StorageError(400, "PopReceiptMismatch", id)
        return stored

    async def _begin(self, operation: str) -> None:
        self.operations.append((operation, self._now()))
        await asyncio.sleep(0.001)
        if self.failures[operation]:
            raise self.failures[operation].pop(0)

    def _end(self, operation: str, result: Result) -> Result:
        if self.lost_answers[operation]:
            raise self.lost_answers[operation].pop(0)
        return result
