"""Makes plain data of samples, one form for tables, pages and JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

from benchmarks.harness.case import MILLISECONDS, RATE, Case, Verdict
from benchmarks.harness.report import number
from benchmarks.harness.statistics import Samples

Record = dict[str, Any]


class Part(NamedTuple):
    """A case that was measured.

    Attributes:
        case: from ``case_record``; None if there are no figures.
        goals: its promises, judged.
        errors: failures that leave the figures valid.
    """

    case: Record | None
    goals: Sequence[Verdict] = ()
    errors: Sequence[str] = ()


def case_record(case: Case, samples: Samples) -> Record:
    """Makes the record of one case: its table's rows, its notes, and the rows of pooled inputs."""
    record = rows_record(case.name, case.description, samples, pooled=not case.each_input)
    record["notes"] = case.notes(samples)
    return record


def rows_record(name: str, description: str, samples: Samples, *, pooled: bool = False) -> Record:
    """Makes the same of samples that no case gave."""
    keys = [key for key in samples.series() if not _stands_beside_times(samples, key)]
    order = samples.inputs()
    keys.sort(key=lambda key: order.index(key[1]))
    figures = [_figure(samples, *key) for key in keys]
    if not pooled:
        return {"name": name, "about": description, "figures": figures, "notes": []}
    together = dict.fromkeys((who, figure) for who, _, figure in keys)
    return {
        "name": name,
        "about": description,
        "figures": [
            {**_figure(samples, who, None, figure), "input": f"all {len(order)}"}
            for who, figure in together
        ],
        "details": figures,
        "notes": [],
    }


def verdicts(case: Case, samples: Samples) -> list[Verdict]:
    """Judges the case's promises."""
    judged = []
    for goal in case.goals:
        value = goal.value(samples)
        unit = f" {goal.unit}" if goal.unit else ""
        limit = f"{goal.sign} {goal.limit:g}{unit}"
        judged.append(Verdict(goal.text, limit, number(value) + unit, goal.is_met(value)))
    return judged


def entry_record(
    name: str,
    description: str,
    machine: Mapping[str, str],
    cases: Sequence[Record],
    goals: Sequence[Verdict],
) -> Record:
    """Makes the record of one entry, as ``<name>.json`` has it; people add the remarks."""
    return {
        "name": name,
        "about": description,
        "machine": dict(machine),
        "goals": [asdict(goal) for goal in goals],
        "cases": list(cases),
        "remarks": [],
    }


def _stands_beside_times(samples: Samples, key: tuple[str, str, str]) -> bool:
    who, name, figure = key
    return figure == RATE and bool(samples.values(who, name, MILLISECONDS))


def _figure(samples: Samples, who: str, name: str | None, figure: str) -> Record:
    row: Record = {
        "implementation": who,
        "input": name,
        "figure": figure,
        **samples.summary(who, name, figure).as_dict(),
    }
    rates = samples.values(who, name, RATE) if figure == MILLISECONDS else []
    if rates:
        row["per_second"] = samples.summary(who, name, RATE).median
        row["per_second_of_each_run"] = rates
    return row
