"""Puts failed messages back on the queue: each is sent first and deleted after.

If it is stopped between the two, the message exists twice: delivery is at least once, and the id
shows the repeat.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.queue import QueueClient, QueueMessage

from tools.drain_report.depth import failure_in
from tools.shared.queue_client import count_messages, create_queue, encode, translate_errors

__all__ = ["Requeued", "message_again", "requeue"]

PAGE = 32
# The time for a page of messages, which are visible again after it if this is stopped.
HIDDEN_SECONDS = 300


@dataclass(frozen=True)
class Requeued:
    """The numbers of messages.

    Attributes:
        sent: messages that are back on the queue.
        left: messages without a URL, which stayed.
    """

    sent: int
    left: int


def requeue(
    source: QueueClient,
    target: QueueClient,
    *,
    again: Callable[[str], str | None],
    count: int | None = None,
    progress: Callable[[], object] = lambda: None,
) -> Requeued:
    """Moves the messages that are in ``source`` now, not those that fail again meanwhile.

    Args:
        source: ``images-failed`` or ``images-poison``.
        target: ``images``, which is made if it does not exist.
        again: raw message -> the raw message to send; None leaves it in ``source``.
        count: the most messages; None moves all.
        progress: called after each message.

    Raises:
        ToolError: the storage account does not answer.
    """
    most = count_messages(source) or 0
    most = most if count is None else min(count, most)
    create_queue(target)
    sent, left = 0, []
    if not most:
        return Requeued(0, 0)
    with translate_errors(source):
        try:
            for message in source.receive_messages(
                messages_per_page=min(PAGE, most),
                max_messages=most,
                visibility_timeout=HIDDEN_SECONDS,
            ):
                text = again(message.content)
                if text is None:
                    left.append(message)
                else:
                    with translate_errors(target):
                        target.send_message(text, time_to_live=-1)
                    _delete(source, message)
                    sent += 1
                progress()
        finally:
            for message in left:
                with suppress(ResourceNotFoundError):
                    source.update_message(message, visibility_timeout=0)
    return Requeued(sent, len(left))


def _delete(source: QueueClient, message: QueueMessage) -> None:
    # Another process may have taken it, if it was visible again before.
    with suppress(ResourceNotFoundError):
        source.delete_message(message)


def message_again(content: str) -> str | None:
    """Makes the raw message to queue from that of a failure; None without a URL."""
    failure = failure_in(content)
    if failure is None or not isinstance(failure.get("url"), str):
        return None
    kept = {name: failure[name] for name in ("id", "url", "model", "version") if name in failure}
    return encode(json.dumps(kept, ensure_ascii=False))
