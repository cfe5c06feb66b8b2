"""Formats queues and failures as a table, as one line, or as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from tools.drain_report.depth import Depth, Failures

__all__ = ["as_json", "as_line", "as_table"]

LONGEST_EXAMPLE = 100


def as_json(depths: Sequence[Depth], failures: Failures) -> dict[str, Any]:
    """Formats the queues and the failures for other programs."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "queues": [
            {
                "name": depth.name,
                "approximateMessages": depth.messages,
                "changePerSecond": _rounded(depth.per_second),
                "secondsToEmpty": _rounded(depth.seconds_to_empty),
            }
            for depth in depths
        ],
        "failures": {"peeked": failures.peeked, "codes": failures.codes},
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def as_table(depths: Sequence[Depth], failures: Failures) -> str:
    """Formats the queues as a table, with the reasons of failures and the commands to retry."""
    width = max(len(depth.name) for depth in depths)
    lines = [f"{'queue':<{width}}  {'messages, about':>15}"]
    lines += [f"{depth.name:<{width}}  {_number(depth):>15}" for depth in depths]
    main, failed, poison = depths
    if failures.peeked:
        of = f"the oldest {failures.peeked} of about {failed.messages or failures.peeked:,}"
        lines += ["", f"Why images failed ({of}):"]
        for code, count in failures.codes.items():
            lines.append(f"{count:>4}  {code:<16}  {_shortened(failures.examples[code])}")
        lines.append(f"To try all of them again: {_again('failed', main.name)}")
    if poison.messages:
        lines.append(
            f"\nWhat is in {poison.name} failed too often; the host's log says why. To try it "
            f"again: {_again('poison', main.name)}"
        )
    return "\n".join(lines)


def _again(which: str, queue: str) -> str:
    named = "" if queue == "images" else f" --queue {queue}"
    return f"python -m tools.drain_report --requeue {which}{named}"


def _number(depth: Depth) -> str:
    return "no queue" if depth.messages is None else f"{depth.messages:,}"


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_EXAMPLE else text[: LONGEST_EXAMPLE - 1] + "…"


def as_line(depths: Sequence[Depth]) -> str:
    """Formats the queues as one line with time and rates."""
    parts = [f"{datetime.now():%H:%M:%S}"]
    for depth in depths:
        part = f"{depth.name} {_number(depth)}"
        if depth.per_second:
            part += f" ({depth.per_second:+,.1f}/s"
            seconds = depth.seconds_to_empty
            part += f", empty in {_duration(seconds)})" if seconds is not None else ")"
        parts.append(part)
    return "   ".join(parts)


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02} min"
