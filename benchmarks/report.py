"""Shows what was measured: tables that are Markdown too, and JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.cases import Case, Goal
from benchmarks.statistics import Samples, Summary


@dataclass(frozen=True)
class Result:
    """A case and what came of it."""

    case: Case
    samples: Samples

    def rows(self) -> list[tuple[str, str, str, Summary]]:
        """Implementation, input, figure and its summary."""
        if self.case.each_input:
            keys = self.samples.series()
            order = list(self.case.inputs)
            keys.sort(key=lambda key: order.index(key[1]))
            return [(*key, self.samples.summary(*key)) for key in keys]
        pooled = dict.fromkeys((who, figure) for who, _, figure in self.samples.series())
        name = f"all {len(self.samples.inputs())}"
        return [
            (who, name, figure, self.samples.summary(who, None, figure)) for who, figure in pooled
        ]

    def goals(self) -> list[tuple[Goal, float]]:
        return [(goal, goal.value(self.samples)) for goal in self.case.goals]


def header(machine: Mapping[str, str]) -> str:
    return "\n".join(f"{key + ':':<21}{value}" for key, value in machine.items())


def case_text(result: Result) -> str:
    """One case: its title, its table, its notes."""
    head = ["implementation", "input", "what", "n", "least", "median", "p95", "p99"]
    body = [
        [
            who,
            name,
            figure,
            str(s.count),
            *(number(x) for x in (s.smallest, s.median, s.p95, s.p99)),
        ]
        for who, name, figure, s in result.rows()
    ]
    lines = [f"## {result.case.name}", "", result.case.about, "", table(head, body, right=5)]
    notes = result.case.notes(result.samples)
    return "\n".join([*lines, *([""] if notes else []), *(f"* {note}" for note in notes)])


def goals_text(results: Sequence[Result]) -> str:
    """All promises and whether they were kept."""
    body = [
        [
            goal.text,
            f"{goal.sign} {goal.limit:g} {goal.unit}",
            f"{number(value)} {goal.unit}",
            "met" if goal.is_met(value) else "MISSED",
        ]
        for result in results
        for goal, value in result.goals()
    ]
    if not body:
        return ""
    return "\n".join(["## Goals", "", table(["what", "goal", "measured", ""], body)])


def table(head: Sequence[str], body: Sequence[Sequence[str]], *, right: int = 0) -> str:
    """A table with aligned columns; the last ``right`` ones are numbers."""
    widths = [max(3, *(len(row[i]) for row in [head, *body])) for i in range(len(head))]
    first_right = len(head) - right

    def line(row: Sequence[str]) -> str:
        cells = [
            cell.rjust(width) if i >= first_right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        return f"| {' | '.join(cells)} |"

    rule = [
        "-" * (width - 1) + ":" if i >= first_right else "-" * width
        for i, width in enumerate(widths)
    ]
    return "\n".join([line(head), line(rule), *map(line, body)])


def number(value: float) -> str:
    """Three digits that count, and no more after the point than that."""
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def as_json(machine: Mapping[str, str], results: Sequence[Result]) -> dict[str, Any]:
    """Everything, for programs: also each input of the cases that show one row for all."""
    return {
        "machine": dict(machine),
        "cases": [
            {
                "name": result.case.name,
                "about": result.case.about,
                "figures": [
                    {
                        "implementation": who,
                        "input": name,
                        "figure": figure,
                        **result.samples.summary(who, name, figure).as_dict(),
                    }
                    for who, name, figure in result.samples.series()
                ],
                "notes": result.case.notes(result.samples),
            }
            for result in results
        ],
        "goals": [
            {
                "text": goal.text,
                "goal": f"{goal.sign} {goal.limit:g} {goal.unit}",
                "measured": value,
                "met": goal.is_met(value),
            }
            for result in results
            for goal, value in result.goals()
        ],
    }
