"""Plots a comparison: the probabilities of B against those of A, and both response times."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tools.compare.agreement import Compared, EndpointAgreement, percentile
from tools.compare.latency import Latency
from tools.compare.report import Run
from tools.compare.tables import milliseconds
from tools.shared.errors import ToolError

__all__ = ["draw"]

# Okabe and Ito's colours, which colour-blind people can tell apart.
SAME, OTHER = "#0072b2", "#d55e00"
A_COLOUR, B_COLOUR = "#7a7a7a", "#0072b2"
# Above this ratio a linear axis shows only the slowest.
WIDE_RANGE = 20
# More marks make an SVG slow; then only the marks become pixels.
MOST_MARKS = 2000


def draw(run: Run, file: Path) -> None:
    """Draws the plot; the same figures give the same file.

    Raises:
        ToolError: matplotlib is not installed.
    """
    plt = _pyplot()
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 5.2), layout="constrained")
    try:
        agreement, (a, b) = run.agreement, run.latencies
        _draw_probabilities(left, agreement)
        _draw_latencies(right, a, b)
        figure.savefig(file, metadata={"Date": None}, dpi=150)
    finally:
        plt.close(figure)


def _draw_probabilities(axes: Any, agreement: EndpointAgreement) -> None:
    compared = agreement.compared
    same = [each for each in compared if each.agrees]
    other = [each for each in compared if not each.agrees]
    axes.plot([0, 1], [0, 1], color="#999999", linewidth=0.8, linestyle="--", zorder=1)
    few = len(compared) * len(agreement.tags) <= MOST_MARKS
    for some, words, colour, marker in (
        (same, "same top tag", SAME, "o"),
        (other, "another top tag", OTHER, "^"),
    ):
        axes.scatter(
            *_points(some, agreement.tags),
            s=16 if marker == "o" else 30,
            color=colour,
            marker=marker,
            alpha=0.35 if marker == "o" else 0.8,
            linewidths=0,
            label=f"{words} ({len(some):,})",
            rasterized=not few,
            clip_on=False,
            zorder=2 if marker == "o" else 3,
        )
    axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    axes.set_xlabel("probability that A gives (the reference)")
    axes.set_ylabel("probability that B gives")
    images = "1 image" if len(compared) == 1 else f"{len(compared):,} images"
    axes.set_title(f"Every tag of {images}; on the line both say the same")
    axes.legend(loc="upper left", frameon=True, fontsize=9)
    _tidy(axes)


def _points(
    images: Sequence[Compared], tags: Sequence[str]
) -> tuple[Sequence[float], Sequence[float]]:
    answers = [each.answers for each in images]
    a, b = (
        [(side.tags or {}).get(tag, 0.0) for side in sides for tag in tags]
        for sides in ([each.a for each in answers], [each.b for each in answers])
    )
    return a, b


def _draw_latencies(axes: Any, a: Latency, b: Latency) -> None:
    seen: list[float] = []
    for name, latency, colour, style in (("A", a, A_COLOUR, "--"), ("B", b, B_COLOUR, "-")):
        # In a run of few images, all requests open a connection.
        times = latency.times or latency.first
        if times:
            middle = milliseconds(percentile(times, 50))
            label = f"{name}: median {middle} ms"
            axes.ecdf(times, color=colour, linestyle=style, label=label, linewidth=1.8)
            seen += times
    axes.set_ylim(0, 1.02)
    axes.set_ylabel("share of answers that took no longer")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value * 100:.0f} %")
    axes.set_title("Time to answer")
    axes.set_xlabel("milliseconds")
    if seen and max(seen) > WIDE_RANGE * min(seen) > 0:
        from matplotlib.ticker import LogLocator

        axes.set_xscale("log")
        axes.set_xlabel("milliseconds (log)")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_minor_formatter("")
    elif seen:
        axes.set_xlim(0, 1.1 * max(seen))
    axes.xaxis.set_major_formatter("{x:,g}")
    if seen:
        axes.legend(loc="best", frameon=True, fontsize=9)
    _tidy(axes)


def _tidy(axes: Any) -> None:
    axes.title.set_fontsize(10)
    axes.grid(alpha=0.25)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _pyplot() -> Any:
    """Imports matplotlib, which the tables do not need."""
    try:
        import matplotlib
    except ImportError:
        raise ToolError(
            "There is no plot: matplotlib is not installed. Install it (python -m pip install "
            "matplotlib) and run this again with --resume."
        ) from None
    matplotlib.use("svg")
    # Text stays text, and equal figures give equal files.
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "compare"})
    import matplotlib.pyplot

    return matplotlib.pyplot
