"""Shows records as text for the terminal, which is Markdown too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tools.shared.tables import table


def header(machine: Mapping[str, str]) -> str:
    """Shows the machine and the versions, one on each line."""
    return "\n".join(f"{key + ':':<21}{value}" for key, value in machine.items())


def case_text(case: Mapping[str, Any]) -> str:
    """Shows one case: its title, its table, its notes."""
    about = sentence(case["about"])
    lines = [f"### {case['name']}", "", about, "", figures_table(case["figures"])]
    return "\n".join([*lines, *([""] if case["notes"] else []), *bullets(case["notes"])])


def figures_table(figures: Sequence[Mapping[str, Any]]) -> str:
    """Makes a row for each figure, and a column for answers a second where the case has them."""
    with_rate = any("per_second" in row for row in figures)
    head = ["implementation", "input", "what", "n", *(["a second"] if with_rate else [])]
    body = []
    for row in figures:
        cells = [row["implementation"], row["input"], row["figure"], str(row["count"])]
        if with_rate:
            cells.append(number(row["per_second"]) if "per_second" in row else "")
        cells += [number(row[key]) for key in ("smallest", "median", "p95", "p99")]
        body.append(cells)
    head += ["least", "median", "p95", "p99"]
    return table(head, body, right=len(head) - 3)


def goals_table(goals: Sequence[Mapping[str, Any]]) -> str:
    """Lists all promises and whether they were kept."""
    body = [[g["text"], g["goal"], g["measured"], "met" if g["met"] else "MISSED"] for g in goals]
    return table(["what", "goal", "measured", ""], body)


def sentence(words: str) -> str:
    """Turns a description into a sentence."""
    return f"{words[:1].upper()}{words[1:]}." if words else ""


def bullets(lines: Sequence[str]) -> list[str]:
    """Makes a list of lines."""
    return [f"* {line}" for line in lines]


def number(value: float) -> str:
    """Formats a number with three significant digits."""
    size = abs(value)
    if size >= 100:
        return f"{value:.0f}"
    if size >= 10:
        return f"{value:.1f}"
    if size >= 0.1 or size == 0:
        return f"{value:.2f}" if size else "0"
    return f"{value:.2g}" if size < 0.001 else f"{value:.4f}"
