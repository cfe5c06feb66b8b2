"""Lays out tables for the terminal that are Markdown, too."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

__all__ = ["table"]


def table(head: Sequence[str], body: Sequence[Sequence[str]], *, right: int = 0) -> str:
    """Lays out a table with aligned columns.

    Args:
        head: the titles of the columns, which set their number.
        body: the rows, each with one text for each column. Texts from elsewhere must be made
            printable before, and free of ``|``.
        right: so many of the last columns hold numbers and are aligned to the right.
    """
    rows = [head, *body]
    widths = [max(3, *(_width(row[column]) for row in rows)) for column in range(len(head))]
    first_right = len(head) - right

    def line(row: Sequence[str]) -> str:
        cells = []
        for column, (cell, width) in enumerate(zip(row, widths, strict=True)):
            room = " " * (width - _width(cell))
            cells.append(room + cell if column >= first_right else cell + room)
        return f"| {' | '.join(cells)} |"

    rule = [
        "-" * (width - 1) + ":" if column >= first_right else "-" * width
        for column, width in enumerate(widths)
    ]
    return "\n".join([line(head), line(rule), *map(line, body)])


def _width(text: str) -> int:
    """The columns of a terminal that a text takes: East Asian letters take two."""
    return sum(1 + (unicodedata.east_asian_width(letter) in "WF") for letter in text)
