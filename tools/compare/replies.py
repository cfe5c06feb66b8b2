"""Reads tags, errors and waiting times from the replies of an endpoint.

Tested with replies of the service, of its gateway, and of web servers in front of them.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

__all__ = ["NoPrediction", "error_of", "printable", "seconds_to_wait", "tags_in"]

LONGEST_WORDS = 300
_MARKUP = re.compile(r"<(style|script)\b.*?</\1>|<[^>]*>", re.DOTALL | re.IGNORECASE)


class NoPrediction(Exception):
    """A reply with status 200 is not one of the prediction API; the message has the reason."""


def tags_in(body: bytes) -> dict[str, float]:
    """Reads the tags of an answer and their probabilities, in their order.

    Raises:
        NoPrediction: the body is not an answer of the prediction API.
    """
    value = _parsed(body)
    predictions = value.get("predictions") if isinstance(value, dict) else None
    if not isinstance(predictions, list) or not predictions:
        raise NoPrediction(f"no predictions in the answer: {printable(_text(body), 100)!r}")
    tags: dict[str, float] = {}
    for each in predictions:
        name = each.get("tagName") if isinstance(each, dict) else None
        probability = _probability(each.get("probability")) if isinstance(each, dict) else None
        if not isinstance(name, str) or probability is None:
            shown = printable(json.dumps(each, ensure_ascii=False), 100)
            raise NoPrediction(f"a prediction without a tag or without a probability: {shown}")
        if name in tags:
            raise NoPrediction(f"the tag {printable(name, 60)!r} is there twice")
        tags[name] = probability
    return tags


def _probability(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 <= value <= 1 else None


def error_of(body: bytes) -> tuple[str, str]:
    """Reads code and message of an error; each may be empty.

    The service sends ``{"code", "message"}``, its gateway ``{"error": {"code", "message"}}`` or
    ``{"statusCode", "message"}``. A body of another shape is all message.
    """
    value = _parsed(body)
    if not isinstance(value, dict):
        return "", printable(_MARKUP.sub(" ", _text(body)))
    nested = value.get("error")
    inner = nested if isinstance(nested, dict) else {"message": nested}
    parts = {name: value.get(name) or inner.get(name) or "" for name in ("code", "message")}
    if not parts["message"]:
        return "", printable(_text(body))
    return printable(str(parts["code"]), 80), printable(str(parts["message"]))


def seconds_to_wait(headers: Mapping[str, str]) -> float | None:
    """Reads Retry-After, which is a number of seconds or a date; None if it is missing."""
    text = headers.get("Retry-After", "").strip()
    try:
        seconds = float(text)
        return max(0.0, seconds) if math.isfinite(seconds) else None
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def printable(text: str, most: int = LONGEST_WORDS) -> str:
    """Makes one line of text from a server or a file name, harmless to a terminal."""
    line = " ".join(text.split())
    line = "".join(character if character.isprintable() else "\ufffd" for character in line)
    return line if len(line) <= most else line[: most - 1] + "…"


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _text(body: bytes) -> str:
    return body[:10_000].decode("utf-8", "replace")
