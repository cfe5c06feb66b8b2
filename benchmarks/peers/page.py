"""The report: the same text for the terminal and, with plots, as a Markdown page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.peers.plots import draw_latency, draw_throughput
from benchmarks.report import number, table

METHOD = """\
Every server gets the same requests: a POST of one JPEG in its body. Each decodes it with
`image_classifier.decode`, preprocesses it with `image_classifier.preprocess`, runs the same ONNX
file in ONNX Runtime with one thread for each inference, and answers with the same JSON. The
reference is uvicorn + Starlette + a pool of threads (as many as there are cores) that does just
that; the *bare* reference decodes with Pillow alone, so it has none of the checks at all. Ours is
`python -m local_host`: the tutorial's function with routing, keys, limits, and two log lines for
each call.

All servers run at once and wait while another is asked, which takes at most 1 % of a core (LitServe
with two workers; the others less). Those that the promises compare take turns
in every round, one right after the other, and who begins changes; ratios and differences are taken
round by round, their intervals by bootstrap over the rounds. The client is a process of its own on
the same cores; it checks status, top tag and probability of every answer. Closed loop: a client
asks again when it has its answer. Open loop: requests come at a constant rate, a share of what the
server managed with eight clients, and latency counts from when a request was due."""


def text(data: Mapping[str, Any]) -> str:
    """The tables, as Markdown that reads well on a terminal too; remarks were added by hand."""
    goals = [[g["text"], g["goal"], g["measured"], _verdict(g["met"])] for g in data["goals"]]
    parts = ["## Goals", table(["what", "goal", "measured", ""], goals), "## Figures"]
    loads = dict.fromkeys(figure["load"] for figure in data["figures"])
    for load in loads:
        parts += [f"### {load}", _figures(data, load)]
    if data["skipped"]:
        parts += ["## Not measured", "\n".join(f"* {k}: {v}" for k, v in data["skipped"].items())]
    if data.get("remarks"):
        parts += ["## Remarks on this run", "\n".join(f"* {line}" for line in data["remarks"])]
    return "\n\n".join(parts)


def write(data: Mapping[str, Any], page: Path) -> None:
    """Writes the page, and its plots beside it."""
    folder, stem = page.parent, page.stem
    draw_throughput(data, folder / f"{stem}-throughput.svg")
    draw_latency(data, folder / f"{stem}-latency.svg")
    machine = table(["", ""], [[key, value] for key, value in data["machine"].items()])
    parts = [
        "# HTTP: this project and its peers",
        machine,
        f"![Answers a second with eight clients]({stem}-throughput.svg)",
        f"![Latency with one client, and at constant rates]({stem}-latency.svg)",
        text(data),
        "## How it was measured",
        METHOD,
    ]
    page.write_text("\n\n".join(parts) + "\n", "utf-8", newline="\n")


def _figures(data: Mapping[str, Any], load: str) -> str:
    found = sorted(
        (figure for figure in data["figures"] if figure["load"] == load),
        key=lambda figure: -figure["per_second"],
    )
    head = ["server", "workers", "answers", "a second", "median, ms", "p95", "p99", "errors"]
    body = [
        [
            f["server"],
            str(f["workers"]),
            str(f["answers"]),
            *(number(f[key]) for key in ("per_second", "median_ms", "p95_ms", "p99_ms")),
            str(f["errors"]),
        ]
        for f in found
    ]
    return table(head, body, right=7)


def _verdict(met: bool) -> str:
    return "met" if met else "MISSED"
