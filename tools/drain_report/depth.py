"""Measures the length of queues and its rate of change, and reads why images failed."""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.queue import QueueClient

from tools.shared.queue_client import count_messages, decode, translate_errors

__all__ = ["Depth", "Failures", "Meter", "read_failures"]

PEEKED = 32  # the most that the service shows at once; always the oldest
WINDOW_SECONDS = 10.0
UNREADABLE = "unreadable"


@dataclass(frozen=True)
class Depth:
    """The current length of one queue.

    Attributes:
        name: of the queue.
        messages: the approximate number, with messages in progress; None if there is no queue.
        per_second: the change of that number; None while it is unknown.
    """

    name: str
    messages: int | None
    per_second: float | None = None

    @property
    def seconds_to_empty(self) -> float | None:
        """Seconds until the queue is empty at this rate; None if it does not shrink."""
        if not self.messages or not self.per_second or self.per_second >= 0:
            return None
        return self.messages / -self.per_second


class Meter:
    """Reads the length of several queues repeatedly.

    Args:
        queues: the queues.
    """

    def __init__(self, queues: Sequence[QueueClient]) -> None:
        self._queues = queues
        self._seen: dict[str, deque[tuple[float, int]]] = {
            queue.queue_name: deque() for queue in queues
        }

    def read(self, now: float) -> list[Depth]:
        """Reads the length of all queues.

        Args:
            now: ``time.monotonic()``.

        Raises:
            ToolError: the storage account does not answer.
        """
        return [self._depth(queue, now) for queue in self._queues]

    def _depth(self, queue: QueueClient, now: float) -> Depth:
        name, messages = queue.queue_name, count_messages(queue)
        seen = self._seen[name]
        seen.append((now, messages or 0))
        while len(seen) > 2 and now - seen[1][0] >= WINDOW_SECONDS:
            seen.popleft()
        (then, before), (_, after) = seen[0], seen[-1]
        return Depth(name, messages, (after - before) / (now - then) if now > then else None)


@dataclass(frozen=True)
class Failures:
    """The errors in the oldest messages of ``images-failed``.

    Attributes:
        peeked: the number of messages read, 32 at most.
        codes: error code -> the number of messages with it, the most frequent first.
        examples: error code -> the error message of one of them.
    """

    peeked: int = 0
    codes: Mapping[str, int] = field(default_factory=dict)
    examples: Mapping[str, str] = field(default_factory=dict)


def read_failures(queue: QueueClient) -> Failures:
    """Reads the oldest messages without removing them.

    Raises:
        ToolError: the storage account does not answer.
    """
    with translate_errors(queue):
        try:
            contents = [message.content for message in queue.peek_messages(PEEKED)]
        except ResourceNotFoundError:
            return Failures()
    codes: Counter[str] = Counter()
    examples: dict[str, str] = {}
    for content in contents:
        code, words = _reason(content)
        codes[code] += 1
        examples.setdefault(code, words)
    return Failures(len(contents), dict(codes.most_common()), examples)


def _reason(content: str) -> tuple[str, str]:
    failure = failure_in(content)
    error = failure.get("error") if failure else None
    if not isinstance(error, dict) or not isinstance(error.get("code"), str):
        return UNREADABLE, "Not a message of classify_queue."
    return error["code"], str(error.get("message", ""))


def failure_in(content: str) -> dict[str, Any] | None:
    """Parses the JSON object in a raw message of ``images-failed``; None if there is none."""
    try:
        value = json.loads(decode(content) or "")
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
