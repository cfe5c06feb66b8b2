"""Runs one message, then deletes it, retries it or moves it to the poison queue."""

from __future__ import annotations

import asyncio
import enum

from local_host.configuration.queue_settings import QueueSettings
from local_host.console import Console
from local_host.queues.backoff import retry_pauses
from local_host.queues.lease import Lease
from local_host.queues.message import (
    FunctionCaller,
    QueueCall,
    RawMessage,
    WorkerGone,
    decode_text,
)
from local_host.queues.queue_target import QueueTarget
from local_host.queues.storage_client import StorageQueues, StorageUnavailable

__all__ = ["QueueProcessor", "Outcome"]


class Outcome(enum.Enum):
    """The outcome of a message.

    Attributes:
        DONE: the function succeeded; the message is deleted.
        RETRY: the function failed; the message becomes visible after the visibility timeout.
        RELEASE: the worker died; the message becomes visible at once.
        POISON: too many tries, or unreadable; the message moves to the poison queue.
        KEEP_HIDDEN: failed without a poison queue; the message stays hidden until its lease ends.
    """

    DONE = enum.auto()
    RETRY = enum.auto()
    RELEASE = enum.auto()
    POISON = enum.auto()
    KEEP_HIDDEN = enum.auto()


class QueueProcessor:
    """Processes the messages of one queue for one function, by the real host's rules."""

    def __init__(
        self,
        function: str,
        target: QueueTarget,
        settings: QueueSettings,
        storage: StorageQueues,
        caller: FunctionCaller,
        console: Console,
    ) -> None:
        self._function = function
        self._target = target
        self._settings = settings
        self._storage = storage
        self._caller = caller
        self._console = console

    async def process(self, lease: Lease) -> Outcome:
        """Decodes the message and has the function called; does not change the queue."""
        message, limit = lease.message, self._settings.max_dequeue_count
        if message.dequeue_count > limit and self._target.poison:
            return self._too_often()
        try:
            body = decode_text(message.text, is_base64=self._settings.is_base64)
        except ValueError:
            return self._unreadable(message)
        call = QueueCall(self._function, self._target.queue, message, body)
        try:
            if await self._caller.call_function(call):
                return Outcome.DONE
        except WorkerGone:
            return Outcome.RELEASE
        if not self._target.poison:
            # It stays hidden for its ten minutes: released, it would run again at once, for ever.
            return Outcome.KEEP_HIDDEN
        # Not the earlier count: the service may have delivered the message again meanwhile.
        return self._too_often() if lease.message.dequeue_count >= limit else Outcome.RETRY

    async def settle(self, lease: Lease, outcome: Outcome) -> None:
        """Applies the outcome to the queue; retries until the service answers.

        Raises:
            StorageError: the poison queue rejects the message; it is still in its own queue.
        """
        if outcome is Outcome.POISON and self._target.poison:
            await self._copy(lease.message.text, self._target.poison)
        if outcome in (Outcome.DONE, Outcome.POISON):
            await lease.delete()
        elif outcome is Outcome.RETRY:
            await lease.release(self._settings.visibility_timeout_seconds)
        elif outcome is Outcome.RELEASE:
            await lease.release(0)

    def _too_often(self) -> Outcome:
        self._console.line(
            f"Message has reached MaxDequeueCount of {self._settings.max_dequeue_count}. "
            f"Moving message to queue '{self._target.poison}'.",
            "yellow",
        )
        return Outcome.POISON

    def _unreadable(self, message: RawMessage) -> Outcome:
        poison = self._target.poison
        action = (
            f"Moving message to queue '{poison}'." if poison else "It stays hidden for a while."
        )
        self._console.line(
            f"Message {message.id} in queue '{self._target.queue}' is not base64, which "
            f"messageEncoding in host.json asks for. {action} Senders must encode their messages, "
            "or extensions.queues.messageEncoding must be none.",
            "red",
        )
        return Outcome.POISON if poison else Outcome.KEEP_HIDDEN

    async def _copy(self, text: str, queue: str) -> None:
        pauses = retry_pauses()
        while True:
            try:
                await self._storage.put_and_create(queue, text)
                return
            except StorageUnavailable:
                await asyncio.sleep(next(pauses))
