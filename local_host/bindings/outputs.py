"""What a function gave to its output bindings -> what is to be written. Pure.

The process that ran the function does this, so that a value which cannot be converted fails it
there; ``delivery.py`` does the writing, once for all processes.
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

# The most that the service takes, in the message's text as it is stored.
LARGEST_TEXT_BYTES = 64 * 1024


@dataclass(frozen=True)
class QueueWrite:
    """One message for a queue, encoded."""

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
    """Everything to be written for one call, in the order of the bindings.

    Args:
        function: which function.
        values: each output binding's Datum by name, ``$return`` included.
        targets: what the bindings mean.
        is_base64: how queue messages are encoded.

    Raises:
        HostError: a binding cannot be used.
        ValueError: a text is too long for a queue.
        SignalRError: a value is no SignalR message.
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
    """A JSON array stands for its elements; text may hold one."""
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
        most = LARGEST_TEXT_BYTES // 4 * 3 if is_base64 else LARGEST_TEXT_BYTES
        raise ValueError(
            f"A message for queue '{queue}' has {len(content)} bytes; at most {most} fit."
        )
    return stored.decode()


def _signalr_message(element: Any) -> Mapping[str, Any]:
    if isinstance(element, (str, bytes, bytearray)):
        with contextlib.suppress(ValueError):  # the check says what a message is
            element = json.loads(element)
    parse_message(element)
    return dict(element)
