"""Converts the outputs of a function to writes, without performing them.

The process that ran the function converts, so that an unusable value fails the call there. The
parent process performs the writes of all workers.
"""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from local_host.bindings.targets import BindingTargets, HubTarget
from local_host.functions.function_table import Function
from local_host.queues.queue_target import QueueTarget
from local_host.signalr.messages import parse_message

__all__ = ["OutputFailed", "OutputWriter", "QueueWrite", "SignalRWrite", "Write", "to_writes"]

# The service's limit for the stored text of a message.
LARGEST_TEXT_BYTES = 64 * 1024


@dataclass(frozen=True)
class QueueWrite:
    """One encoded message for a queue."""

    target: QueueTarget
    text: str


@dataclass(frozen=True)
class SignalRWrite:
    """One message for the clients of a hub, or one change of a group."""

    target: HubTarget
    message: Mapping[str, Any]


Write = QueueWrite | SignalRWrite
# Performs the writes of one call, in order; raises OutputFailed.
OutputWriter = Callable[[Sequence[Write]], Awaitable[None]]


class OutputFailed(Exception):
    """An output could not be written, so the call has failed."""


def to_writes(
    function: Function, values: Mapping[str, Any], targets: BindingTargets, *, is_base64: bool
) -> list[Write]:
    """Returns the writes of one call, in the order of the bindings.

    Args:
        function: the function.
        values: each output binding's Datum by name, ``$return`` included.
        targets: the targets of all bindings.
        is_base64: whether queue messages are encoded.

    Raises:
        HostError: a binding is invalid.
        ValueError: a text is too long for a queue.
        SignalRError: a value is not a SignalR message.
    """
    writes: list[Write] = []
    for binding in function.bindings:
        datum = values.get(binding.name)
        kind = binding.type.lower()
        if binding.direction != "out" or datum is None or datum.type is None:
            continue
        if kind not in ("queue", "signalr"):
            continue
        target = targets.target(function, binding)
        for element in _elements(datum.type, datum.value):
            if isinstance(target, HubTarget):
                writes.append(SignalRWrite(target, _signalr_message(element)))
            else:
                writes.append(QueueWrite(target, _queue_text(element, target.queue, is_base64)))
    return writes


def _elements(kind: str, value: Any) -> list[Any]:
    """Splits a JSON array into its elements; a text may contain one."""
    if kind == "json" and not isinstance(value, (str, bytes)):
        return list(value) if isinstance(value, (list, tuple)) else [value]
    text = value.decode() if kind == "json" and isinstance(value, bytes) else value
    if isinstance(text, str) and (kind == "json" or text.lstrip().startswith("[")):
        try:
            parsed = json.loads(text)
        except (ValueError, RecursionError):
            return [text]
        return parsed if isinstance(parsed, list) else [text]
    return [text]


def _queue_text(element: Any, queue: str, is_base64: bool) -> str:
    if isinstance(element, (bytes, bytearray)):
        content = bytes(element)
    else:
        text = element if isinstance(element, str) else json.dumps(element, ensure_ascii=False)
        content = text.encode()
    stored = base64.b64encode(content) if is_base64 else content
    if len(stored) > LARGEST_TEXT_BYTES:
        limit = LARGEST_TEXT_BYTES // 4 * 3 if is_base64 else LARGEST_TEXT_BYTES
        raise ValueError(
            f"A message for queue '{queue}' has {len(content)} bytes; at most {limit} fit."
        )
    return stored.decode()


def _signalr_message(element: Any) -> Mapping[str, Any]:
    if isinstance(element, (str, bytes, bytearray)):
        with contextlib.suppress(ValueError):  # parse_message reports the error
            element = json.loads(element)
    parse_message(element)
    return dict(element)
