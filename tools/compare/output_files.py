"""The files of a comparison: for people (Markdown), for spreadsheets (CSV)."""

from __future__ import annotations

import csv
from pathlib import Path

from tools.compare.agreement import top_tag
from tools.compare.answer_log import Answer
from tools.compare.ground_truth import right_tag
from tools.compare.replies import printable
from tools.compare.report import Run, sections, verdict

__all__ = ["write_markdown", "write_images"]


def write_markdown(path: Path, run: Run, *, plot: str | None) -> None:
    """The whole report; ``plot`` is the name of the image beside it, if there is one."""
    a, b = run.shown
    lines = [
        "# Two prediction endpoints compared",
        "",
        verdict(run.agreement),
        "",
        f"* A: `{a}`",
        f"* B: `{b}`",
        f"* images: `{printable(run.folder)}`",
        f"* ended: {run.when:%Y-%m-%d %H:%M}",
        "",
    ]
    if plot:
        words = "B's probabilities against A's, and how long both took"
        lines += [f"![{words}]({plot})", ""]
    for section in sections(run, everything=True):
        lines += [f"## {section.title}", "", section.text, ""]
    path.write_text("\n".join(lines), "utf-8", "replace")


def write_images(path: Path, run: Run) -> None:
    """One row for each image; every tag's probability is in the answers' own file."""
    compared = {each.answers.file: each for each in run.agreement.compared}
    # The mark at the start is what makes Excel read UTF-8.
    with path.open("w", encoding="utf-8-sig", errors="replace", newline="") as file:
        rows = csv.writer(file)
        sides = [
            f"{side}_{what}" for side in "ab" for what in ("tag", "probability", "ms", "error")
        ]
        labels = ["right_tag"] if run.rightness else []
        rows.writerow(
            ["file", "bytes", *labels, *sides, "same_tag", "differs_most_at", "difference"]
        )
        for each in run.images:
            found = compared.get(each.file)
            rows.writerow(
                [
                    each.file,
                    each.bytes,
                    *([right_tag(each.file) or ""] if run.rightness else []),
                    *_cells(each.a),
                    *_cells(each.b),
                    *([found.agrees, found.tag, f"{found.difference:.6g}"] if found else [""] * 3),
                ]
            )


def _cells(answer: Answer) -> list[object]:
    tag, probability = top_tag(answer.tags) if answer.tags else ("", "")
    return [tag, probability, answer.milliseconds or "", answer.error]
