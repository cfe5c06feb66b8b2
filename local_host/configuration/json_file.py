"""Reads the JSON files of an app, and the time spans that .NET writes in them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from local_host.errors import HostError

__all__ = ["parse_time_span", "read_json_object"]

TIME_SPAN = re.compile(r"(?:(\d+)\.)?(\d{1,2}):(\d{1,2}):(\d{1,2}(?:\.\d+)?)")


def read_json_object(path: Path) -> dict[str, Any]:
    """Reads a file that holds one JSON object; a byte order mark is allowed.

    Raises:
        HostError: the file cannot be read or is not a JSON object; the message gives the position.
    """
    try:
        data = json.loads(path.read_text("utf-8-sig"))
    except json.JSONDecodeError as exc:
        position = f"line {exc.lineno}, column {exc.colno}"
        raise HostError(f"{path} is not valid JSON: {exc.msg} ({position}).") from exc
    except (OSError, UnicodeDecodeError) as exc:
        raise HostError(f"{path} cannot be read: {exc}.") from exc
    if not isinstance(data, dict):
        raise HostError(f"{path} must hold a JSON object, that is {{ … }}.")
    return data


def parse_time_span(value: Any) -> float | None:
    """The seconds of a .NET time span, ``[days.]hh:mm:ss[.fraction]``; None if it is invalid."""
    match = TIME_SPAN.fullmatch(str(value))
    if not match:
        return None
    days, hours, minutes, seconds = match.groups()
    return int(days or 0) * 86400 + int(hours) * 3600 + int(minutes) * 60 + float(seconds)
