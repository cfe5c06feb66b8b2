"""Describes queue messages and their calls, and converts them for functions."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from azure.functions.meta import Datum

from local_host.functions.converters import converter_for

__all__ = [
    "FunctionCaller",
    "QueueCall",
    "RawMessage",
    "WorkerGone",
    "decode_text",
    "trigger_value",
]


@dataclass(frozen=True)
class RawMessage:
    """A message as stored in the queue.

    Attributes:
        id: the service's id of the message.
        text: the stored text, not decoded.
        pop_receipt: the proof that this host holds it; each change of visibility gives a new one.
        dequeue_count: the number of fetches, this one included.
        inserted: the time at which it was put into the queue.
        expires: the time at which the service drops it.
        next_visible: the time at which it becomes visible again unless renewed.
    """

    id: str
    text: str
    pop_receipt: str
    dequeue_count: int
    inserted: datetime
    expires: datetime
    next_visible: datetime


@dataclass(frozen=True)
class QueueCall:
    """One call of a function for one message; sent to the worker process that makes it.

    Attributes:
        function: the function's name.
        queue: the queue's name.
        message: the message as fetched.
        body: the decoded text; bytes if it is not UTF-8.
    """

    function: str
    queue: str
    message: RawMessage
    body: str | bytes

    @property
    def reason(self) -> str:
        """The real host's text for the reason of the call."""
        return f"New queue message detected on '{self.queue}'."

    @property
    def details(self) -> str:
        """The real host's line about the message."""
        inserted = self.message.inserted.isoformat(timespec="milliseconds")
        return (
            f"Trigger Details: MessageId: {self.message.id}, "
            f"DequeueCount: {self.message.dequeue_count}, InsertionTime: {inserted}"
        )


class WorkerGone(Exception):
    """The worker process died during the call; its progress is unknown."""


class FunctionCaller(Protocol):
    """Calls functions for queue messages: in this process, or in one of the workers."""

    async def ready(self) -> None:
        """Returns when a process can take a call."""

    async def call_function(self, call: QueueCall) -> bool:
        """Makes the call, outputs included.

        Returns:
            whether the function succeeded.

        Raises:
            WorkerGone: the process died.
        """


def decode_text(text: str, *, is_base64: bool) -> str | bytes:
    """Decodes the stored text of a message.

    Returns:
        the text; bytes if it is not UTF-8.

    Raises:
        ValueError: ``is_base64`` is set and the text is not base64.
    """
    if not is_base64:
        return text
    try:
        body = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as exc:
        raise ValueError(f"not base64: {exc}") from exc
    try:
        return body.decode()
    except UnicodeDecodeError:
        return body


def trigger_value(call: QueueCall, trigger_type: str) -> Any:
    """Converts a call to its trigger's value, a ``func.QueueMessage``."""
    body = call.body
    datum = Datum(body, "string" if isinstance(body, str) else "bytes")
    converter = converter_for(trigger_type)
    return converter.decode(datum, trigger_metadata=_metadata(call))


def _metadata(call: QueueCall) -> dict[str, Datum]:
    message = call.message
    metadata = _fields(call.body)
    metadata |= {
        "QueueTrigger": Datum(call.body, "string" if isinstance(call.body, str) else "bytes"),
        "DequeueCount": Datum(str(message.dequeue_count), "json"),
        "Id": Datum(message.id, "string"),
        "PopReceipt": Datum(message.pop_receipt, "string"),
        "ExpirationTime": Datum(json.dumps(message.expires.isoformat()), "json"),
        "InsertionTime": Datum(json.dumps(message.inserted.isoformat()), "json"),
        "NextVisibleTime": Datum(json.dumps(message.next_visible.isoformat()), "json"),
    }
    return metadata


def _fields(body: str | bytes) -> dict[str, Datum]:
    """Returns the fields of a JSON object, which the real host adds to the metadata."""
    if not isinstance(body, str) or not body.lstrip().startswith("{"):
        return {}
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return {
        name: Datum(value, "string") if isinstance(value, str) else Datum(json.dumps(value), "json")
        for name, value in data.items()
    }
