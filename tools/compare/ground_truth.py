"""Counts right answers, for images in folders that are named after their tags."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tools.compare.agreement import top_tag
from tools.compare.answer_log import Answer, ImageAnswers

__all__ = ["Correctness", "right_tag", "correctness_of"]


@dataclass(frozen=True)
class Correctness:
    """The right answers to the images that both answered and whose folder is a tag.

    Attributes:
        images: the number of these images.
        both: the number that both classified correctly.
        only_a: the number that only A classified correctly.
        only_b: the number that only B classified correctly.
        wrong: (right tag, wrong tag) -> how often A and B gave the wrong one; most frequent first.
        no_tags: folders whose name is not a tag; their images are not counted.
    """

    images: int
    both: int
    only_a: int
    only_b: int
    wrong: dict[tuple[str, str], tuple[int, int]]
    no_tags: tuple[str, ...]

    @property
    def right_a(self) -> int:
        """The number of images that A classified correctly."""
        return self.both + self.only_a

    @property
    def right_b(self) -> int:
        """The number of images that B classified correctly."""
        return self.both + self.only_b

    @property
    def neither(self) -> int:
        """The number of images that neither classified correctly."""
        return self.images - self.both - self.only_a - self.only_b


def right_tag(file: str) -> str | None:
    """Returns the name of an image's top folder, which is its tag; None outside of folders."""
    folder, slash, _ = file.partition("/")
    return folder if slash else None


def correctness_of(images: Sequence[ImageAnswers]) -> Correctness:
    """Compares the top tags of all answers with the folders of the images."""
    tags = {tag for each in images for side in (each.a, each.b) for tag in side.tags or ()}
    folders = {right_tag(each.file) for each in images} - {None}
    counted = [
        (right_tag(each.file), _top(each.a), _top(each.b))
        for each in images
        if each.a.tags and each.b.tags and right_tag(each.file) in tags
    ]
    wrong_a = Counter((str(right), a) for right, a, _ in counted if a != right)
    wrong_b = Counter((str(right), b) for right, _, b in counted if b != right)
    pairs = sorted(wrong_a | wrong_b, key=lambda pair: (-wrong_a[pair] - wrong_b[pair], pair))
    return Correctness(
        images=len(counted),
        both=sum(a == right == b for right, a, b in counted),
        only_a=sum(a == right != b for right, a, b in counted),
        only_b=sum(b == right != a for right, a, b in counted),
        wrong={pair: (wrong_a[pair], wrong_b[pair]) for pair in pairs},
        no_tags=tuple(sorted(str(each) for each in folders if each not in tags)),
    )


def _top(answer: Answer) -> str:
    return top_tag(answer.tags or {})[0]
