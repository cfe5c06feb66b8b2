"""Computes how far two endpoints agree."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tools.compare.answer_log import ImageAnswers

__all__ = ["EndpointAgreement", "Compared", "agreement_of", "percentile", "top_tag", "wilson"]

# Below this margin between the two best tags, a model has not decided.
UNSURE_MARGIN = 0.1
THRESHOLDS = (0.5, 0.8, 0.9)
_Z95 = 1.959963984540054


@dataclass(frozen=True)
class Compared:
    """An image that both endpoints answered.

    Attributes:
        answers: both answers.
        tag: the tag, known to both, whose probabilities differ most.
        difference: of the two probabilities of that tag.
    """

    answers: ImageAnswers
    tag: str
    difference: float

    @property
    def agrees(self) -> bool:
        """Whether both have the same top tag."""
        return self.top_a[0] == self.top_b[0]

    @property
    def top_a(self) -> tuple[str, float]:
        """The top tag of A, and its probability."""
        return top_tag(self.answers.a.tags or {})

    @property
    def top_b(self) -> tuple[str, float]:
        """The top tag of B, and its probability."""
        return top_tag(self.answers.b.tags or {})

    @property
    def is_unsure(self) -> bool:
        """Whether the two best tags of A or of B are nearly equal."""
        margins = (_margin(each.tags or {}) for each in (self.answers.a, self.answers.b))
        return min(margins) < UNSURE_MARGIN


@dataclass(frozen=True)
class EndpointAgreement:
    """The figures of a comparison.

    Attributes:
        compared: the images that both answered, by file.
        tags: the tags that both know, sorted.
        failed_a: the number of images that only B answered.
        failed_b: the number of images that only A answered.
        failed_both: the number of images that neither answered.
        only_a: tags that B never named.
        only_b: tags that A never named.
        differences: of each probability, over images and the tags that both know; sorted.
        changed: threshold -> the number of images on which other tags reach it.
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
        """The number of all images."""
        return len(self.compared) + self.failed_a + self.failed_b + self.failed_both

    @property
    def agreed(self) -> int:
        """The number of images with the same top tag."""
        return sum(each.agrees for each in self.compared)

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % confidence interval of the share of images with the same top tag."""
        return wilson(self.agreed, len(self.compared))

    @property
    def kept(self) -> float:
        """The share of A's answers to which B has the same; a failure of B counts against it."""
        answered = len(self.compared) + self.failed_b
        return self.agreed / answered if answered else 0.0

    @property
    def mean_difference(self) -> float:
        """The mean difference of two probabilities; 0 without any."""
        return math.fsum(self.differences) / len(self.differences) if self.differences else 0.0

    @property
    def largest_difference(self) -> float:
        """The largest difference of two probabilities; 0 without any."""
        return self.differences[-1] if self.differences else 0.0

    @property
    def disagreements(self) -> list[Compared]:
        """The images with another top tag: first where both were sure, then by difference."""
        others = (each for each in self.compared if not each.agrees)
        return sorted(others, key=lambda each: (each.is_unsure, -each.difference))

    def furthest(self, count: int) -> list[Compared]:
        """Lists the images with the largest differences."""
        return sorted(self.compared, key=lambda each: -each.difference)[:count]


def agreement_of(images: Sequence[ImageAnswers]) -> EndpointAgreement:
    """Computes the figures of all answers."""
    both = [each for each in images if each.a.tags and each.b.tags]
    # A side knows the tags that it ever named: some leave out tags without a probability.
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
    """Whether other tags reach the threshold, by which programs decide."""
    sides = (answers.a.tags or {}, answers.b.tags or {})
    a, b = ({tag for tag in known if side.get(tag, 0.0) >= least} for side in sides)
    return a != b


def top_tag(tags: Mapping[str, float]) -> tuple[str, float]:
    """Returns the most probable tag; of equal ones the first by name, the same for both sides."""
    return min(tags.items(), key=lambda item: (-item[1], item[0]))


def _margin(tags: Mapping[str, float]) -> float:
    """The difference between the probabilities of the two best tags."""
    first, second, *_ = [*sorted(tags.values(), reverse=True), 0.0]
    return first - second


def wilson(successes: int, count: int) -> tuple[float, float]:
    """Computes the 95 % confidence interval of a share, for few trials and shares near 1, too."""
    if not count:
        return 0.0, 1.0
    share, square = successes / count, _Z95**2 / count
    middle = (share + square / 2) / (1 + square)
    half = math.sqrt(share * (1 - share) * square + square**2 / 4) / (1 + square)
    return max(0.0, middle - half), min(1.0, middle + half)


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Returns the percentile by nearest rank: a measured value, of few values the largest."""
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]
