"""Puts messages that failed back on the queue, each sent first and deleted after.

Should it be stopped between the two, the message is there twice: delivery is at least once, and
its id shows the repeat.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.queue import QueueClient, QueueMessage

from tools.drain_report.depth import failure_in
from tools.shared.queue_client import count_messages, create_queue, encode, in_words

__all__ = ["Requeued", "message_again", "requeue"]

PAGE = 32
# For a page; what is in hand when this is stopped is seen again after that.
HIDDEN_SECONDS = 300


@dataclass(frozen=True)
class Requeued:
    """What became of the messages: ``sent`` ones are back, ``left`` ones name no URL."""

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
    """Moves what is in ``source`` now; not what fails again while this runs.

    Args:
        source: ``images-failed`` or ``images-poison``.
        target: ``images``; made if it is not there.
        again: raw message -> the raw message to send; None: it stays where it is.
        count: how many at most; None: all.
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
    with in_words(source):
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
                    with in_words(target):
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
    # Somebody else may have taken it, if sending took longer than it was hidden.
    with suppress(ResourceNotFoundError):
        source.delete_message(message)


def message_again(content: str) -> str | None:
    """The message that a failure was made of, as it is put on the queue; None: it names no URL."""
    failure = failure_in(content)
    if failure is None or not isinstance(failure.get("url"), str):
        return None
    kept = {name: failure[name] for name in ("id", "url", "model", "version") if name in failure}
    return encode(json.dumps(kept, ensure_ascii=False))
