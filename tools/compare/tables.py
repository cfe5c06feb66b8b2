"""Tables that read well on a terminal and are Markdown too, and numbers as people read them."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from tools.compare.replies import printable

__all__ = ["difference", "milliseconds", "percent", "share", "table"]

LONGEST_CELL = 160


def table(head: Sequence[str], body: Sequence[Sequence[str]], *, right: int = 0) -> str:
    """A table with aligned columns; the last ``right`` ones are numbers."""
    rows = [[_cell(text) for text in row] for row in (head, *body)]
    widths = [max(3, *(_width(row[i]) for row in rows)) for i in range(len(head))]
    first_right = len(head) - right

    def line(row: Sequence[str]) -> str:
        cells = []
        for i, (cell, width) in enumerate(zip(row, widths, strict=True)):
            room = " " * (width - _width(cell))
            cells.append(room + cell if i >= first_right else cell + room)
        return f"| {' | '.join(cells)} |"

    rule = [
        "-" * (width - 1) + ":" if i >= first_right else "-" * width
        for i, width in enumerate(widths)
    ]
    return "\n".join([line(rows[0]), line(rule), *map(line, rows[1:])])


def _cell(text: str) -> str:
    # Names of files and tags, and words of servers, come from elsewhere.
    return printable(text, LONGEST_CELL).replace("|", "\\|").replace("<", "\\<")


def _width(text: str) -> int:
    return sum(1 + (unicodedata.east_asian_width(each) in "WF") for each in text)


def share(part: int, whole: int) -> str:
    """A share in per cent, rounded down: 100.0 % is all of them and nothing else."""
    return f"{part * 1000 // whole / 10:.1f} %" if whole else "–"


def percent(value: float) -> str:
    return f"{value * 100:.1f} %"


def difference(value: float) -> str:
    """A difference of probabilities, with two digits that count."""
    if value == 0:
        return "0"
    return f"{value:#.2g}" if value >= 0.0001 else "below 0.0001"


def milliseconds(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"
