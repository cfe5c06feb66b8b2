"""Writes the files of a comparison: Markdown for people, CSV for spreadsheets."""

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
    """Writes the complete report; ``plot`` is the name of the image beside it, if there is one."""
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
    """Writes one row for each image; the probabilities of all tags are in the answer log."""
    compared = {each.answers.file: each for each in run.agreement.compared}
    # Excel reads UTF-8 only after a byte order mark.
    with path.open("w", encoding="utf-8-sig", errors="replace", newline="") as file:
        rows = csv.writer(file)
        sides = [
            f"{side}_{what}" for side in "ab" for what in ("tag", "probability", "ms", "error")
        ]
        labels = ["right_tag"] if run.correctness else []
        rows.writerow(
            ["file", "bytes", *labels, *sides, "same_tag", "differs_most_at", "difference"]
        )
        for each in run.images:
            pair = compared.get(each.file)
            rows.writerow(
                [
                    each.file,
                    each.bytes,
                    *([right_tag(each.file) or ""] if run.correctness else []),
                    *_cells(each.a),
                    *_cells(each.b),
                    *([pair.agrees, pair.tag, f"{pair.difference:.6g}"] if pair else [""] * 3),
                ]
            )


def _cells(answer: Answer) -> list[object]:
    tag, probability = top_tag(answer.tags) if answer.tags else ("", "")
    return [tag, probability, answer.milliseconds or "", answer.error]
