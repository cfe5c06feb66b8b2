"""How far two endpoints agree: the figures, and nothing about how they are shown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tools.compare.answer_log import ImageAnswers

__all__ = ["EndpointAgreement", "Compared", "agreement_of", "percentile", "top_tag", "wilson"]

# A model that gives two tags nearly the same probability has not decided.
UNSURE_MARGIN = 0.1
THRESHOLDS = (0.5, 0.8, 0.9)
_Z95 = 1.959963984540054


@dataclass(frozen=True)
class Compared:
    """An image that both answered.

    Attributes:
        answers: of both.
        tag: where their probabilities differ most, of the tags that both know.
        difference: how much they differ there.
    """

    answers: ImageAnswers
    tag: str
    difference: float

    @property
    def agrees(self) -> bool:
        return self.top_a[0] == self.top_b[0]

    @property
    def top_a(self) -> tuple[str, float]:
        return top_tag(self.answers.a.tags or {})

    @property
    def top_b(self) -> tuple[str, float]:
        return top_tag(self.answers.b.tags or {})

    @property
    def is_unsure(self) -> bool:
        """Whether either of them could as well have said another tag."""
        margins = (_margin(each.tags or {}) for each in (self.answers.a, self.answers.b))
        return min(margins) < UNSURE_MARGIN


@dataclass(frozen=True)
class EndpointAgreement:
    """What came out.

    Attributes:
        compared: the images that both answered, by file.
        tags: those that both know, sorted.
        failed_a: how many only B answered.
        failed_b: how many only A answered.
        failed_both: how many neither answered.
        only_a: tags that B never named.
        only_b: tags that A never named.
        differences: of each probability, over images and the tags that both know; sorted.
        changed: threshold -> on how many images other tags reach it.
    """

    compared: tuple[Compared, ...]
    tags: tuple[str, ...]
    failed_a: int
    failed_b: int
    failed_both: int
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    differences: tuple[float, ...]
    changed: dict[float, int]

    @property
    def images(self) -> int:
        return len(self.compared) + self.failed_a + self.failed_b + self.failed_both

    @property
    def agreed(self) -> int:
        """On how many images both have the same top tag."""
        return sum(each.agrees for each in self.compared)

    @property
    def interval(self) -> tuple[float, float]:
        """Between which shares agreement lies, with 95 % confidence."""
        return wilson(self.agreed, len(self.compared))

    @property
    def kept(self) -> float:
        """The share of what A answers that B answers the same; where B fails, it does not."""
        answered = len(self.compared) + self.failed_b
        return self.agreed / answered if answered else 0.0

    @property
    def mean_difference(self) -> float:
        return math.fsum(self.differences) / len(self.differences) if self.differences else 0.0

    @property
    def largest_difference(self) -> float:
        return self.differences[-1] if self.differences else 0.0

    @property
    def disagreements(self) -> list[Compared]:
        """Those with another top tag: first where both were sure, then by difference."""
        found = (each for each in self.compared if not each.agrees)
        return sorted(found, key=lambda each: (each.is_unsure, -each.difference))

    def furthest(self, count: int) -> list[Compared]:
        """The images with the largest differences."""
        return sorted(self.compared, key=lambda each: -each.difference)[:count]


def agreement_of(images: Sequence[ImageAnswers]) -> EndpointAgreement:
    """Compares what there is."""
    both = [each for each in images if each.a.tags and each.b.tags]
    # A tag is known to a side that ever named it: some leave out what has no probability.
    tags_a = {tag for each in images for tag in each.a.tags or ()}
    tags_b = {tag for each in images for tag in each.b.tags or ()}
    known = tuple(sorted(tags_a & tags_b))
    return EndpointAgreement(
        compared=tuple(_compared(each, known) for each in both),
        tags=known,
        failed_a=sum(not each.a.tags and bool(each.b.tags) for each in images),
        failed_b=sum(bool(each.a.tags) and not each.b.tags for each in images),
        failed_both=sum(not each.a.tags and not each.b.tags for each in images),
        only_a=tuple(sorted(tags_a - tags_b)) if tags_b else (),
        only_b=tuple(sorted(tags_b - tags_a)) if tags_a else (),
        differences=tuple(sorted(_difference(each, tag) for each in both for tag in known)),
        changed={
            least: sum(_decides_otherwise(each, known, least) for each in both)
            for least in THRESHOLDS
        },
    )


def _compared(answers: ImageAnswers, known: Sequence[str]) -> Compared:
    tag = max(known, key=lambda each: _difference(answers, each), default="")
    return Compared(answers, tag, _difference(answers, tag))


def _difference(answers: ImageAnswers, tag: str) -> float:
    return abs((answers.a.tags or {}).get(tag, 0.0) - (answers.b.tags or {}).get(tag, 0.0))


def _decides_otherwise(answers: ImageAnswers, known: Sequence[str], least: float) -> bool:
    """Whether other tags reach the threshold. That is what programs ask, also with many tags."""
    sides = (answers.a.tags or {}, answers.b.tags or {})
    a, b = ({tag for tag in known if side.get(tag, 0.0) >= least} for side in sides)
    return a != b


def top_tag(tags: Mapping[str, float]) -> tuple[str, float]:
    """The most probable tag; of equals, the first by name, so that both sides take the same."""
    return min(tags.items(), key=lambda item: (-item[1], item[0]))


def _margin(tags: Mapping[str, float]) -> float:
    """How much the first tag is ahead of the second."""
    first, second, *_ = [*sorted(tags.values(), reverse=True), 0.0]
    return first - second


def wilson(successes: int, count: int) -> tuple[float, float]:
    """The 95 % confidence interval of a share; good for few trials and for shares near 1."""
    if not count:
        return 0.0, 1.0
    share, square = successes / count, _Z95**2 / count
    middle = (share + square / 2) / (1 + square)
    half = math.sqrt(share * (1 - share) * square + square**2 / 4) / (1 + square)
    return max(0.0, middle - half), min(1.0, middle + half)


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Nearest rank: always a value that was measured; the largest when there are few."""
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]
