"""Who is right, where the images lie in folders named after their tags."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tools.compare.agreement import top_tag
from tools.compare.answer_log import Answer, ImageAnswers

__all__ = ["Rightness", "right_tag", "rightness_of"]


@dataclass(frozen=True)
class Rightness:
    """How often each is right, on the images that both answered and whose folder is a tag.

    Attributes:
        images: how many those are.
        both: how many both got right.
        only_a: how many only A got right.
        only_b: how many only B got right.
        wrong: (right tag, tag that was said) -> how often A and B said it; the most frequent first.
        no_tags: folders that are named like no tag; their images are not counted.
    """

    images: int
    both: int
    only_a: int
    only_b: int
    wrong: dict[tuple[str, str], tuple[int, int]]
    no_tags: tuple[str, ...]

    @property
    def right_a(self) -> int:
        return self.both + self.only_a

    @property
    def right_b(self) -> int:
        return self.both + self.only_b

    @property
    def neither(self) -> int:
        return self.images - self.both - self.only_a - self.only_b


def right_tag(file: str) -> str | None:
    """The folder right below the one that was named; None for an image that lies in no folder."""
    folder, slash, _ = file.partition("/")
    return folder if slash else None


def rightness_of(images: Sequence[ImageAnswers]) -> Rightness:
    tags = {tag for each in images for side in (each.a, each.b) for tag in side.tags or ()}
    folders = {right_tag(each.file) for each in images} - {None}
    counted = [
        (right_tag(each.file), _said(each.a), _said(each.b))
        for each in images
        if each.a.tags and each.b.tags and right_tag(each.file) in tags
    ]
    wrong_a = Counter((str(right), a) for right, a, _ in counted if a != right)
    wrong_b = Counter((str(right), b) for right, _, b in counted if b != right)
    pairs = sorted(wrong_a | wrong_b, key=lambda pair: (-wrong_a[pair] - wrong_b[pair], pair))
    return Rightness(
        images=len(counted),
        both=sum(a == right == b for right, a, b in counted),
        only_a=sum(a == right != b for right, a, b in counted),
        only_b=sum(b == right != a for right, a, b in counted),
        wrong={pair: (wrong_a[pair], wrong_b[pair]) for pair in pairs},
        no_tags=tuple(sorted(str(each) for each in folders if each not in tags)),
    )


def _said(answer: Answer) -> str:
    return top_tag(answer.tags or {})[0]
