"""The plots of the page, as SVG."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.peers.plan import EIGHT_CLIENTS, ONE_CLIENT, SHARES
from benchmarks.peers.servers import OURS, TWIN

OURS_COLOUR, OTHERS_COLOUR = "#0b6cb8", "#9aa5b1"
BAR = 0.38


def draw_throughput(data: Mapping[str, Any], file: Path) -> None:
    """A bar for each server and number of workers, with eight clients."""
    plt = _pyplot()
    rates = {
        (f["server"], f["workers"]): f["per_second"]
        for f in data["figures"]
        if f["load"] == EIGHT_CLIENTS
    }
    best = {who: max(rate for (its, _), rate in rates.items() if its == who) for who, _ in rates}
    order = sorted(best, key=lambda who: best[who])
    figure, axes = plt.subplots(figsize=(8, 0.62 * len(order) + 1.2), layout="constrained")
    for (who, workers), rate in rates.items():
        place = order.index(who) + (BAR / 2 if workers > 1 else -BAR / 2)
        axes.barh(place, rate, BAR, color=_colour(who), alpha=1 if workers > 1 else 0.6)
        words = f" {rate:.0f}" if rate >= 10 else f" {rate:.1f}"
        plural = "s" if workers > 1 else ""
        axes.text(rate, place, f"{words}  ({workers} worker{plural})", va="center", fontsize=8)
    axes.set_yticks(range(len(order)), order)
    axes.set_xlim(0, max(rates.values()) * 1.22)
    axes.set_xlabel("answers a second, 8 clients (more is better)")
    _save(figure, [axes], file)


def draw_latency(data: Mapping[str, Any], file: Path) -> None:
    """Median, p95 and p99 with one client and at the constant rates."""
    plt = _pyplot()
    loads = [ONE_CLIENT, *SHARES]
    figure, panels = plt.subplots(
        1, len(loads), figsize=(11, 3.6), layout="constrained", sharey=True
    )
    found = [f for f in data["figures"] if f["server"] != TWIN and f["load"] in loads]
    order = list(dict.fromkeys(f["server"] for f in reversed(found)))
    for axes, load in zip(panels, loads, strict=True):
        for f in found:
            if f["load"] != load:
                continue
            place, colour = order.index(f["server"]), _colour(f["server"])
            axes.plot([f["median_ms"], f["p99_ms"]], [place, place], color=colour, linewidth=2)
            for key, marker in (("median_ms", "o"), ("p95_ms", "|"), ("p99_ms", "d")):
                axes.plot(f[key], place, marker, color=colour, markersize=8 if marker == "|" else 6)
        axes.set_yticks(range(len(order)), order)
        axes.set_xlim(left=0)
        axes.set_title(f"{load} ({'1 worker' if load == ONE_CLIENT else '2 workers'})", fontsize=10)
        axes.set_xlabel("ms: ● median, | p95, ♦ p99", fontsize=8)
        axes.grid(axis="x", alpha=0.3)
    _save(figure, panels, file)


def _pyplot() -> Any:
    """Imported late: the tables need no matplotlib."""
    import matplotlib

    matplotlib.use("svg")
    # Text stays text, and the same figures give the same file.
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "peers"})
    import matplotlib.pyplot

    return matplotlib.pyplot


def _save(figure: Any, panels: Iterable[Any], file: Path) -> None:
    for axes in panels:
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, metadata={"Date": None})
    _pyplot().close(figure)


def _colour(who: str) -> str:
    return OURS_COLOUR if who == OURS else OTHERS_COLOUR
