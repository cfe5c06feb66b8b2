"""What came out, in words and tables: the same for the terminal and for the Markdown file."""

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
from tools.compare.ground_truth import Rightness
from tools.compare.latency import Latency, latency_of
from tools.compare.replies import printable
from tools.compare.tables import difference, milliseconds, percent, safe_table, share

__all__ = ["Run", "Section", "sections", "verdict"]

# What the cloud takes of an image.
CLOUD_BYTES = 4 * 1024 * 1024
LONGEST_LIST = 20


@dataclass(frozen=True)
class Run:
    """All that the report is made of.

    Attributes:
        shown: the endpoints' URLs, without secrets.
        folder: whose images were sent.
        images: the answers.
        planned: how many images there were to ask for.
        sent: how many requests went to A and to B this time.
        seconds: how long that took.
        top: how many images a list has.
        rightness: who is right; None if nobody said what is.
        when: it ended.
    """

    shown: tuple[str, str]
    folder: str
    images: Sequence[ImageAnswers]
    planned: int
    sent: tuple[int, int]
    seconds: float
    top: int
    rightness: Rightness | None
    when: datetime

    @cached_property
    def agreement(self) -> EndpointAgreement:
        return agreement_of(self.images)

    @cached_property
    def latencies(self) -> tuple[Latency, Latency]:
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
    """One line for those who read no more."""
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
    """The report's parts, those that have something to say.

    Args:
        run: what came out.
        everything: all failures, not only the first ones.
    """
    agreement = run.agreement
    found = [Section("Endpoints", _endpoints(run, agreement))]
    if warnings := _warnings(run, agreement):
        found.append(Section("Please note", "\n".join(f"* {line}" for line in warnings)))
    if agreement.compared:
        found.insert(0, Section("Agreement", _agreement(agreement)))
        if run.rightness is not None:
            found += _rightness(run.rightness, run.top)
        disagreements = agreement.disagreements
        if disagreements:
            title = _title("Another top tag", run.top, len(disagreements))
            found.append(Section(title, _list(disagreements[: run.top])))
        furthest = [each for each in agreement.furthest(run.top) if each.difference > 0]
        if furthest:
            title = _title("Largest differences", run.top, len(agreement.compared))
            found.append(Section(title, _list(furthest)))
    failures = [each for each in run.images if not (each.a.tags and each.b.tags)]
    if failures:
        most = len(failures) if everything else LONGEST_LIST
        title = _title("Not answered by both", most, len(failures))
        found.append(Section(title, _failures(failures[:most])))
    return found


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
    found = []
    for side, tags in (("A", agreement.only_a), ("B", agreement.only_b)):
        if tags:
            listed = ", ".join(printable(tag, 60) for tag in tags[:LONGEST_LIST])
            listed += ", …" if len(tags) > LONGEST_LIST else ""
            found.append(
                f"**The tags are not the same.** Only {side} ever named: {listed}. Differences are "
                "those of the tags that both know. Is it the same iteration?"
            )
    large = sum(each.bytes > CLOUD_BYTES for each in run.images)
    if large:
        found.append(f"Images of more than 4 MB, which Custom Vision's cloud refuses: {large:,}.")
    if len(run.images) < run.planned:
        found.append(f"It ended early: {len(run.images):,} of {run.planned:,} images are in.")
    if run.rightness is not None and run.rightness.no_tags:
        folders = ", ".join(printable(each, 60) for each in run.rightness.no_tags[:LONGEST_LIST])
        found.append(f"Folders named like no tag, whose images are not counted: {folders}.")
    return found


def _rightness(found: Rightness, most: int) -> list[Section]:
    def right(count: int) -> str:
        low, high = wilson(count, found.images)
        return f"{count:,} ({share(count, found.images)}; {percent(low)} to {percent(high)})"

    if not found.images:
        return []
    rows = [
        (f"right, of {found.images:,}", right(found.right_a), right(found.right_b)),
        ("right where the other is wrong", f"{found.only_a:,}", f"{found.only_b:,}"),
        ("wrong both", f"{found.neither:,}", f"{found.neither:,}"),
    ]
    parts = [Section("Who is right", safe_table(["what", "A", "B"], rows, right=2))]
    wrong = [(*pair, f"{a:,}", f"{b:,}") for pair, (a, b) in found.wrong.items()]
    if wrong:
        shown = safe_table(["right tag", "said", "A", "B"], wrong[:most], right=2)
        parts.append(Section(_title("Mistakes", most, len(wrong)), shown))
    return parts


def _list(images: Sequence[Compared]) -> str:
    rows = [
        (
            each.answers.file,
            _said(each.top_a),
            _said(each.top_b),
            "same" if each.agrees else "another, one unsure" if each.is_unsure else "another",
            printable(each.tag, 40),
            difference(each.difference),
        )
        for each in images
    ]
    return safe_table(
        ["image", "A says", "B says", "top tag", "differs most at", "by"], rows, right=1
    )


def _said(top: tuple[str, float]) -> str:
    return f"{printable(top[0], 40)} {top[1]:.3f}"


def _failures(images: Sequence[ImageAnswers]) -> str:
    fine = "a prediction"
    rows = [(each.file, each.a.error or fine, each.b.error or fine) for each in images]
    return safe_table(["image", "A", "B"], rows)
