"""Writes ``benchmarks/results/``: JSON, page and plots for each entry, and one page for all."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.harness import plots
from benchmarks.harness.report import bullets, case_text, goals_table, sentence
from tools.shared.tables import table

INDEX = "README.md"


def save(record: Mapping[str, Any], folder: Path) -> None:
    """Writes one entry's JSON, page and plots, and rewrites the page for all."""
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / f"{record['name']}.json", json.dumps(record, indent=1))
    _write_page(record, folder)
    write_index(folder)


def write_all(folder: Path) -> None:
    """Rewrites every page from the JSON files, as after a remark was added to one of them."""
    for record in _records(folder):
        _write_page(record, folder)
    write_index(folder)


def write_index(folder: Path) -> None:
    """Writes all goals of all entries on one page."""
    records = _records(folder)
    runs = [
        [f"[{r['name']}]({r['name']}.md)", r["about"], r["machine"].get("Date", "")]
        for r in records
    ]
    goals = [
        {**goal, "text": f"{record['name']}: {goal['text']}"}
        for record in records
        for goal in record["goals"]
    ]
    parts = [
        "# Last results",
        "Made by `python -m benchmarks --results NAME…`. Each page has the machine, the versions, "
        "tables and plots of its run; how it is measured is told [one folder up](../README.md).",
        table(["page", "what is measured", "measured"], runs),
        "## Goals",
        goals_table(goals),
    ]
    _write(folder / INDEX, "\n\n".join(parts))


def _write_page(record: Mapping[str, Any], folder: Path) -> None:
    parts = [
        f"# {record['name']}",
        sentence(record["about"]),
        table(["", ""], [[key, value] for key, value in record["machine"].items()]),
    ]
    if record["goals"]:
        parts += ["## Goals", goals_table(record["goals"])]
    if record["remarks"]:
        parts += ["## Remarks on this run", "\n".join(bullets(record["remarks"]))]
    parts.append("## Figures")
    for stale in folder.glob(f"{record['name']}-*.svg"):
        stale.unlink()
    for case in record["cases"]:
        title, about, *rest = case_text(case).split("\n\n")
        file = folder / f"{_plot_name(record['name'], case['name'])}.svg"
        plots.draw(case, file)
        parts += [
            title,
            about,
            f"![{case['name']}: figures of the table below]({file.name})",
            *rest,
        ]
    _write(folder / f"{record['name']}.md", "\n\n".join(parts))


def _plot_name(entry: str, case: str) -> str:
    words = re.sub(r"[^a-z0-9]+", "-", case.lower()).strip("-")
    return f"{entry}-{words}"


def _records(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(file.read_text("utf-8")) for file in sorted(folder.glob("*.json"))]


def _write(file: Path, text: str) -> None:
    file.write_text(text + "\n", "utf-8", newline="\n")
