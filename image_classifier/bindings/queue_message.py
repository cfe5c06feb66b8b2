"""Reads a message of the queue ``images``: a URL, or JSON with "id", "url", "model", "version"."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import azure.functions as func

from image_classifier.fetching.urls import MAX_URL_LENGTH

__all__ = ["QueuedImage", "read_message"]

_SHAPE = (
    'A message is the URL of an image, or JSON such as {"id": "7", "url": "https://…"}; "model" '
    'and "version" may be added.'
)
_LONGEST_NAME = 200
_HIGHEST_VERSION = 10**18


@dataclass(frozen=True)
class QueuedImage:
    """A message of the queue, as far as it can be read.

    Attributes:
        id: its own, so that a repeat can be recognised; else the one from the queue.
        url: of the image, as it was queued; None if the message has no readable one.
        model: name, or None for the default model.
        version: or None for the highest.
        text: the complete message.
        problem: the reason why it cannot be classified; None if there is none so far.
    """

    id: str
    text: str
    url: str | None = None
    model: str | None = None
    version: int | None = None
    problem: str | None = None


def read_message(message: func.QueueMessage) -> QueuedImage:
    """Parses any message; never raises."""
    queue_id = message.id or "unknown"
    body = message.get_body()
    try:
        text = body.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        text = body.decode("utf-8", "replace")
        return QueuedImage(queue_id, text, problem=f"The message is not UTF-8 text. {_SHAPE}")
    if text.startswith("{"):
        return _from_json(queue_id, text)
    if not text:
        return QueuedImage(queue_id, text, problem=f"The message is empty. {_SHAPE}")
    if not _may_be_url(text):
        return QueuedImage(queue_id, text, problem=f"The message is not a URL. {_SHAPE}")
    return QueuedImage(queue_id, text, url=text)


def _from_json(queue_id: str, text: str) -> QueuedImage:
    try:
        value: dict[str, Any] = json.loads(text)
    except (ValueError, RecursionError):
        problem = f"The message starts as JSON does, and is not valid JSON. {_SHAPE}"
        return QueuedImage(queue_id, text, problem=problem)
    given = {name: value[name] for name in _FIELDS if value.get(name) not in (None, "")}
    wrong = [name for name, field in given.items() if not _FIELDS[name].accepts(field)]
    right = {name: field for name, field in given.items() if name not in wrong}
    problems = [f'"{name}" must be {_FIELDS[name].words}.' for name in wrong]
    if not problems and "url" not in right:
        problems = [f'The JSON has no "url". {_SHAPE}']
    right["id"] = str(right.get("id", queue_id))
    return QueuedImage(text=text, problem=" ".join(problems) or None, **right)


@dataclass(frozen=True)
class _Field:
    accepts: Callable[[Any], bool]
    words: str


def _is_number(value: Any) -> bool:
    return type(value) is int and 0 <= value < _HIGHEST_VERSION


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= _LONGEST_NAME and value.isprintable()


def _may_be_url(value: Any) -> bool:
    """Checks length and control characters, to keep messages small; fetch parses the URL."""
    if not isinstance(value, str) or len(value) > MAX_URL_LENGTH:
        return False
    return not re.search(r"[\x00-\x1f\ud800-\udfff]", value)


_FIELDS: Mapping[str, _Field] = {
    "id": _Field(
        lambda value: _is_name(value) or _is_number(value),
        f"text of at most {_LONGEST_NAME} printable characters, or a whole number",
    ),
    "url": _Field(_may_be_url, f"a URL as text, of at most {MAX_URL_LENGTH} characters"),
    "model": _Field(_is_name, "the name of a model as text"),
    "version": _Field(_is_number, "a whole number such as 1"),
}
