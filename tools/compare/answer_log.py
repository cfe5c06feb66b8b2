"""What both endpoints said to each image, on disk as it comes: nothing is asked twice."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

from tools.shared.errors import ToolError

__all__ = [
    "Answer",
    "ImageAnswers",
    "has_answers",
    "keep_answers",
    "read_answers",
    "write_answers",
]


@dataclass(frozen=True)
class Answer:
    """One endpoint's answer to one image.

    Attributes:
        tags: tag -> probability; None: there are none, and ``error`` says why.
        error: the server's words, or why there are none; empty if there are tags.
        refused: the image was looked at and refused: it would be again.
        milliseconds: from sending to the last byte of the answer, of the try that succeeded.
        opened_connection: whether that includes making a connection.
        retries: how often it was tried again.
    """

    tags: Mapping[str, float] | None = None
    error: str = ""
    refused: bool = False
    milliseconds: float | None = None
    opened_connection: bool = False
    retries: int = 0

    @property
    def is_final(self) -> bool:
        """Whether asking again would change nothing."""
        return self.tags is not None or self.refused


@dataclass(frozen=True)
class ImageAnswers:
    """Both answers to one image.

    Attributes:
        file: below the folder, with slashes.
        sha256: of the bytes that were sent.
        bytes: how many.
        a: the reference's answer.
        b: the other's.
    """

    file: str
    sha256: str
    bytes: int
    a: Answer
    b: Answer

    @property
    def is_final(self) -> bool:
        return self.a.is_final and self.b.is_final


@contextmanager
def keep_answers(
    path: Path, endpoints: Sequence[str], earlier: Sequence[ImageAnswers]
) -> Iterator[TextIO]:
    """The file for answers, which begins with the earlier ones; for ``write_answers``."""
    # Written anew and put in place at once: a crash may have left half a line at the end.
    new = path.with_name(path.name + ".new")
    with new.open("w", encoding="utf-8") as file:
        _write(file, {"endpoints": list(endpoints)})
        for each in earlier:
            write_answers(file, each)
    new.replace(path)
    with path.open("a", encoding="utf-8") as file:
        yield file


def write_answers(file: TextIO, answers: ImageAnswers) -> None:
    _write(file, asdict(answers))


def _write(file: TextIO, value: Mapping[str, Any]) -> None:
    # ASCII: names of files may hold what UTF-8 cannot.
    file.write(json.dumps(value) + "\n")
    file.flush()


def has_answers(path: Path) -> bool:
    """Whether an earlier run got as far as that."""
    try:
        with path.open("rb") as file:
            return len(file.readlines(2**20)) > 1  # the first line is the head
    except FileNotFoundError:
        return False


def read_answers(path: Path, endpoints: Sequence[str]) -> list[ImageAnswers]:
    """The answers that an earlier run kept, each image's last ones.

    Raises:
        ToolError: there are none, or they are those of other endpoints.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except FileNotFoundError:
        raise ToolError(f"There is no {path} to resume. Leave out --resume.") from None
    except (OSError, ValueError) as exc:
        raise ToolError(f"{path} cannot be read: {exc}.") from exc
    values = [value for value in map(_parsed, lines) if value is not None]
    head = values[0].get("endpoints") if values else None
    if head != list(endpoints):
        raise ToolError(
            f"{path} has answers of other endpoints: {' and '.join(map(str, head or ['none']))}. "
            "Name the same ones, or another folder with --out."
        )
    found = (_answers(value) for value in values[1:])
    return list({each.file: each for each in found if each is not None}.values())


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None  # the half line of a crash
    return value if isinstance(value, dict) else None


def _answers(value: Mapping[str, Any]) -> ImageAnswers | None:
    try:
        return ImageAnswers(**{**value, "a": Answer(**value["a"]), "b": Answer(**value["b"])})
    except (KeyError, TypeError):
        return None
