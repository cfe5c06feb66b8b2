"""Describes the result in words and tables, for the terminal and for the Markdown file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from tools.compare.agreement import (
    UNSURE_MARGIN,
    Compared,
    EndpointAgreement,
    agreement_of,
    percentile,
    wilson,
)
from tools.compare.answer_log import ImageAnswers
from tools.compare.ground_truth import Correctness
from tools.compare.latency import Latency, latency_of
from tools.compare.replies import printable
from tools.compare.tables import difference, milliseconds, percent, safe_table, share

__all__ = ["Run", "Section", "sections", "verdict"]

# The largest image that the cloud accepts.
CLOUD_BYTES = 4 * 1024 * 1024
LONGEST_LIST = 20


@dataclass(frozen=True)
class Run:
    """The data of a report.

    Attributes:
        shown: the endpoints' URLs, without secrets.
        folder: the folder of the images.
        images: the answers.
        planned: the number of images to send.
        sent: the numbers of requests to A and to B in this run.
        seconds: the duration of the run.
        top: the number of images in a list.
        correctness: the right answers; None without labels.
        when: the end of the run.
    """

    shown: tuple[str, str]
    folder: str
    images: Sequence[ImageAnswers]
    planned: int
    sent: tuple[int, int]
    seconds: float
    top: int
    correctness: Correctness | None
    when: datetime

    @cached_property
    def agreement(self) -> EndpointAgreement:
        """The agreement of the two endpoints."""
        return agreement_of(self.images)

    @cached_property
    def latencies(self) -> tuple[Latency, Latency]:
        """The response times of A and of B."""
        return (
            latency_of([each.a for each in self.images]),
            latency_of([each.b for each in self.images]),
        )


@dataclass(frozen=True)
class Section:
    """A part of the report: a title and a table or lines."""

    title: str
    text: str


def verdict(agreement: EndpointAgreement) -> str:
    """Sums up the agreement in one line."""
    compared = len(agreement.compared)
    if not compared:
        return "No image was answered by both, so there is nothing to compare."
    least = percent(agreement.interval[0])
    words = (
        f"The two agree on {agreement.agreed:,} of {compared:,} images "
        f"({share(agreement.agreed, compared)}, at least {least} with 95 % confidence); "
    )
    if agreement.differences:
        words += (
            f"probabilities differ by {difference(agreement.mean_difference)} on average and by "
            f"at most {difference(agreement.largest_difference)}."
        )
    else:
        words += "they have no tag in common."
    missing = agreement.images - compared
    if missing:
        were = "image was" if missing == 1 else "images were"
        words += f" {missing:,} {were} not answered by both."
    return words


def sections(run: Run, *, everything: bool = False) -> list[Section]:
    """Lists the parts of the report, without empty ones.

    Args:
        run: the data of the report.
        everything: lists all failures, not only the first ones.
    """
    agreement = run.agreement
    parts = [Section("Endpoints", _endpoints(run, agreement))]
    if warnings := _warnings(run, agreement):
        parts.append(Section("Please note", "\n".join(f"* {line}" for line in warnings)))
    if agreement.compared:
        parts.insert(0, Section("Agreement", _agreement(agreement)))
        if run.correctness is not None:
            parts += _correctness(run.correctness, run.top)
        disagreements = agreement.disagreements
        if disagreements:
            title = _title("Another top tag", run.top, len(disagreements))
            parts.append(Section(title, _list(disagreements[: run.top])))
        furthest = [each for each in agreement.furthest(run.top) if each.difference > 0]
        if furthest:
            title = _title("Largest differences", run.top, len(agreement.compared))
            parts.append(Section(title, _list(furthest)))
    failures = [each for each in run.images if not (each.a.tags and each.b.tags)]
    if failures:
        most = len(failures) if everything else LONGEST_LIST
        title = _title("Not answered by both", most, len(failures))
        parts.append(Section(title, _failures(failures[:most])))
    return parts


def _title(words: str, most: int, count: int) -> str:
    return words if count <= most else f"{words} ({most:,} of {count:,})"


def _agreement(agreement: EndpointAgreement) -> str:
    compared, agreed = len(agreement.compared), agreement.agreed
    low, high = agreement.interval
    unsure = sum(each.is_unsure for each in agreement.disagreements)
    rows = [
        ("images compared", f"{compared:,} of {agreement.images:,}"),
        ("same top tag", f"{agreed:,} ({share(agreed, compared)})"),
        ("… with 95 % confidence", f"{percent(low)} to {percent(high)}"),
        ("another top tag, both sure", f"{compared - agreed - unsure:,}"),
        (f"another top tag, one unsure (ahead by less than {UNSURE_MARGIN:g})", f"{unsure:,}"),
    ]
    if agreement.differences:
        rows += [
            ("difference of a probability, mean", difference(agreement.mean_difference)),
            ("… 95th percentile", difference(percentile(agreement.differences, 95))),
            ("… largest", difference(agreement.largest_difference)),
        ]
    for least, count in agreement.changed.items():
        rows.append((f"images with other tags at {least:g} or more", f"{count:,}"))
    return safe_table(["what", "figure"], rows, right=1)


def _endpoints(run: Run, agreement: EndpointAgreement) -> str:
    a, b = run.latencies
    compared, both = len(agreement.compared), agreement.failed_both
    rows: list[tuple[str, ...]] = [
        (
            "images answered",
            f"{compared + agreement.failed_b:,}",
            f"{compared + agreement.failed_a:,}",
        ),
        (
            "images refused or failed",
            f"{both + agreement.failed_a:,}",
            f"{both + agreement.failed_b:,}",
        ),
    ]
    for words, percentage in (("median", 50), ("95th percentile", 95), ("slowest", 100)):
        of = "time to answer, ms: " if percentage == 50 else "… "
        rows.append((of + words, *(milliseconds(each.percentile(percentage)) for each in (a, b))))
    slowest = (milliseconds(max(each.first, default=None)) for each in (a, b))
    rows.append(("… slowest first one, with connecting", *slowest))
    if run.seconds > 0 and any(run.sent):
        rates = (f"{sent / run.seconds:.1f}" for sent in run.sent)
        rows.append(("requests a second in this run", *rates))
    rows.append(("requests tried again", f"{a.retries:,}", f"{b.retries:,}"))
    return safe_table(["what", "A", "B"], rows, right=2)


def _warnings(run: Run, agreement: EndpointAgreement) -> list[str]:
    warnings = []
    for side, tags in (("A", agreement.only_a), ("B", agreement.only_b)):
        if tags:
            listed = ", ".join(printable(tag, 60) for tag in tags[:LONGEST_LIST])
            listed += ", …" if len(tags) > LONGEST_LIST else ""
            warnings.append(
                f"**The tags are not the same.** Only {side} ever named: {listed}. Differences are "
                "those of the tags that both know. Is it the same iteration?"
            )
    large = sum(each.bytes > CLOUD_BYTES for each in run.images)
    if large:
        warnings.append(
            f"Images of more than 4 MB, which Custom Vision's cloud refuses: {large:,}."
        )
    if len(run.images) < run.planned:
        warnings.append(f"It ended early: {len(run.images):,} of {run.planned:,} images are in.")
    if run.correctness is not None and run.correctness.no_tags:
        folders = ", ".join(printable(each, 60) for each in run.correctness.no_tags[:LONGEST_LIST])
        warnings.append(f"Folders named like no tag, whose images are not counted: {folders}.")
    return warnings


def _correctness(counts: Correctness, most: int) -> list[Section]:
    def right(count: int) -> str:
        low, high = wilson(count, counts.images)
        return f"{count:,} ({share(count, counts.images)}; {percent(low)} to {percent(high)})"

    if not counts.images:
        return []
    rows = [
        (f"right, of {counts.images:,}", right(counts.right_a), right(counts.right_b)),
        ("right where the other is wrong", f"{counts.only_a:,}", f"{counts.only_b:,}"),
        ("wrong both", f"{counts.neither:,}", f"{counts.neither:,}"),
    ]
    parts = [Section("Who is right", safe_table(["what", "A", "B"], rows, right=2))]
    wrong = [(*pair, f"{a:,}", f"{b:,}") for pair, (a, b) in counts.wrong.items()]
    if wrong:
        shown = safe_table(["right tag", "said", "A", "B"], wrong[:most], right=2)
        parts.append(Section(_title("Mistakes", most, len(wrong)), shown))
    return parts


def _list(images: Sequence[Compared]) -> str:
    rows = [
        (
            each.answers.file,
            _tag_text(each.top_a),
            _tag_text(each.top_b),
            "same" if each.agrees else "another, one unsure" if each.is_unsure else "another",
            printable(each.tag, 40),
            difference(each.difference),
        )
        for each in images
    ]
    return safe_table(
        ["image", "A says", "B says", "top tag", "differs most at", "by"], rows, right=1
    )


def _tag_text(top: tuple[str, float]) -> str:
    return f"{printable(top[0], 40)} {top[1]:.3f}"


def _failures(images: Sequence[ImageAnswers]) -> str:
    fine = "a prediction"
    rows = [(each.file, each.a.error or fine, each.b.error or fine) for each in images]
    return safe_table(["image", "A", "B"], rows)
