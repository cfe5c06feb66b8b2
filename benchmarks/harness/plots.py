"""Draws one plot for each case, as SVG: latencies and answers a second."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.harness.report import number

OURS_COLOUR, OTHERS_COLOUR = "#0b6cb8", "#9aa5b1"
OURS = "ours"
MOST_IN_A_ROW = 3
# Beyond this a linear axis shows the slowest only.
WIDE_RANGE = 25


@dataclass(frozen=True)
class Panel:
    """A part of the plot with one axis.

    Attributes:
        title: shared by the rows.
        label: of the axis, with the unit.
        rows: their names.
        values: median, p95 and p99 of each row; or one value, drawn as a bar.
    """

    title: str
    label: str
    rows: Sequence[str]
    values: Sequence[tuple[float, ...]]

    @property
    def is_bars(self) -> bool:
        """Whether each row is one value."""
        return len(self.values[0]) == 1


def draw(case: Mapping[str, Any], file: Path) -> None:
    """Draws a case's figures; the same figures give the same file."""
    plt = _pyplot()
    panels = panels_of(case)
    # Answers a second and times stand side by side.
    most = 2 if any(panel.is_bars for panel in panels) else MOST_IN_A_ROW
    columns = min(most, len(panels))
    lines = -(-len(panels) // columns)
    most_rows = max(len(panel.rows) for panel in panels)
    longest = max(len(row) for panel in panels for row in panel.rows)
    figure, grid = plt.subplots(
        lines,
        columns,
        figsize=(2.2 + longest * 0.05 + 3.0 * columns, lines * (0.3 * most_rows + 1.3)),
        layout="constrained",
        squeeze=False,
        sharey=len({tuple(panel.rows) for panel in panels}) == 1,
    )
    places = [axes for line in grid for axes in line]
    for axes, panel in zip(places, panels, strict=False):
        _draw_panel(axes, panel)
    for axes in places[len(panels) :]:
        axes.set_visible(False)
    figure.savefig(file, metadata={"Date": None})
    plt.close(figure)


def panels_of(case: Mapping[str, Any]) -> list[Panel]:
    """Makes a panel for each input and unit, and panels of their own for answers a second."""
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in case["figures"]:
        unit = row["figure"].rpartition(", ")[2]
        groups.setdefault((row["input"], unit), []).append(row)
    panels = []
    for (name, unit), rows in groups.items():
        names = _names(rows)
        rated = [(its, row) for its, row in zip(names, rows, strict=True) if "per_second" in row]
        if rated:
            rates = [(row["per_second"],) for _, row in rated]
            panels.append(Panel(name, "answers a second", [its for its, _ in rated], rates))
        tails = [(row["median"], row["p95"], row["p99"]) for row in rows]
        panels.append(Panel(name, f"{unit}: ● median, | p95, ♦ p99", names, tails))
    return panels


def _names(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names rows by implementation, figure, or both, as far as they differ."""
    whos, whats = ({row[key] for row in rows} for key in ("implementation", "figure"))
    names = []
    for row in rows:
        what = row["figure"].rpartition(", ")[0]
        parts = [row["implementation"]] if len(whos) > 1 or len(whats) == 1 else []
        names.append(": ".join([*parts, what] if len(whats) > 1 else parts))
    return names


def _draw_panel(axes: Any, panel: Panel) -> None:
    any_ours = any(row.startswith(OURS) for row in panel.rows)
    for place, (row, values) in enumerate(zip(panel.rows, panel.values, strict=True)):
        colour = OURS_COLOUR if row.startswith(OURS) or not any_ours else OTHERS_COLOUR
        if panel.is_bars:
            axes.barh(place, values[0], 0.6, color=colour)
            axes.text(values[0], place, f" {number(values[0])}", va="center", fontsize=8)
            continue
        axes.plot([values[0], values[-1]], [place, place], color=colour, linewidth=2)
        for value, marker, size in zip(values, "o|d", (6, 9, 6), strict=True):
            axes.plot(value, place, marker, color=colour, markersize=size)
    axes.set_yticks(range(len(panel.rows)), panel.rows, fontsize=8)
    axes.set_ylim(len(panel.rows) - 0.5, -0.5)  # the first on top
    axes.set_title(panel.title, fontsize=9)
    axes.set_xlabel(panel.label, fontsize=8)
    axes.tick_params(axis="x", labelsize=8)
    axes.grid(axis="x", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    _scale(axes, [value for values in panel.values for value in values], bars=panel.is_bars)


def _scale(axes: Any, values: Sequence[float], *, bars: bool) -> None:
    least, most = min(values), max(values)
    if not bars and least > 0 and most > WIDE_RANGE * least:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter("")
        axes.set_xlabel(f"{axes.get_xlabel()} (log)", fontsize=8)
    else:
        axes.set_xlim(0, 1.15 * most or 1)


def _pyplot() -> Any:
    """Imports matplotlib late: the tables do not need it."""
    import matplotlib

    matplotlib.use("svg")
    # Text stays text, and the same figures give the same file.
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "benchmarks"})
    import matplotlib.pyplot

    return matplotlib.pyplot
