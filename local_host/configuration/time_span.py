from __future__ import annotations

import re
from typing import Any

__all__ = ["parse_time_span"]

TIME_SPAN = re.compile(r"(?:(\d+)\.)?(\d{1,2}):(\d{1,2}):(\d{1,2}(?:\.\d+)?)")


def parse_time_span(value: Any) -> float | None:
    """Seconds of a .NET time span, ``[days.]hh:mm:ss[.fraction]``; None when it is not one."""
    match = TIME_SPAN.fullmatch(str(value))
    if not match:
        return None
    days, hours, minutes, seconds = match.groups()
    return int(days or 0) * 86400 + int(hours) * 3600 + int(minutes) * 60 + float(seconds)
