"""Formats figures for people, and tables of texts that are not trusted."""

from __future__ import annotations

from collections.abc import Sequence

from tools.compare.replies import printable
from tools.shared.tables import table

__all__ = ["difference", "milliseconds", "percent", "safe_table", "share"]

LONGEST_CELL = 160


def safe_table(head: Sequence[str], body: Sequence[Sequence[str]], *, right: int = 0) -> str:
    """Lays out a table whose cells come from elsewhere: names of files and tags, words of servers.

    Args: as of ``tools.shared.tables.table``.
    """
    return table(head, [[_cell(text) for text in row] for row in body], right=right)


def _cell(text: str) -> str:
    return printable(text, LONGEST_CELL).replace("|", "\\|").replace("<", "\\<")


def share(part: int, total: int) -> str:
    """Formats a share in per cent, rounded down: 100.0 % stands for all of them only."""
    return f"{part * 1000 // total / 10:.1f} %" if total else "–"


def percent(value: float) -> str:
    """Formats a share from 0 to 1 in per cent."""
    return f"{value * 100:.1f} %"


def difference(value: float) -> str:
    """Formats a difference of probabilities with two significant digits."""
    if value == 0:
        return "0"
    return f"{value:#.2g}" if value >= 0.0001 else "below 0.0001"


def milliseconds(value: float | None) -> str:
    """Formats a time with three significant digits or all whole milliseconds."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"
