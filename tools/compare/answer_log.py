"""Keeps the answers to each image on disk as they arrive, so that no image is sent twice."""

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
    """The answer of one endpoint to one image.

    Attributes:
        tags: tag -> probability; None after a failure, which ``error`` describes.
        error: the message of the server, or the reason why there is none; empty with tags.
        refused: the server examined the image and refused it, and would do so again.
        milliseconds: from sending to the last byte of the answer, in the attempt that succeeded.
        opened_connection: whether that includes making a connection.
        retries: the number of further attempts.
    """

    tags: Mapping[str, float] | None = None
    error: str = ""
    refused: bool = False
    milliseconds: float | None = None
    opened_connection: bool = False
    retries: int = 0

    @property
    def is_final(self) -> bool:
        """Whether the same request would get the same answer again."""
        return self.tags is not None or self.refused


@dataclass(frozen=True)
class ImageAnswers:
    """Both answers to one image.

    Attributes:
        file: its path from the folder, with slashes.
        sha256: of the bytes that were sent.
        bytes: the size of the file.
        a: the answer of the reference.
        b: the answer of the other endpoint.
    """

    file: str
    sha256: str
    bytes: int
    a: Answer
    b: Answer

    @property
    def is_final(self) -> bool:
        """Whether both answers are final."""
        return self.a.is_final and self.b.is_final


@contextmanager
def keep_answers(
    path: Path, endpoints: Sequence[str], earlier: Sequence[ImageAnswers]
) -> Iterator[TextIO]:
    """Opens the file for ``write_answers``, which begins with the earlier answers."""
    # Written anew and replaced in one step: a crash may have left half a line at the end.
    new = path.with_name(path.name + ".new")
    with new.open("w", encoding="utf-8") as file:
        _write(file, {"endpoints": list(endpoints)})
        for each in earlier:
            write_answers(file, each)
    new.replace(path)
    with path.open("a", encoding="utf-8") as file:
        yield file


def write_answers(file: TextIO, answers: ImageAnswers) -> None:
    """Appends both answers to one image."""
    _write(file, asdict(answers))


def _write(file: TextIO, value: Mapping[str, Any]) -> None:
    # ASCII: names of files may hold characters that UTF-8 cannot encode.
    file.write(json.dumps(value) + "\n")
    file.flush()


def has_answers(path: Path) -> bool:
    """Whether the file has an answer of an earlier run."""
    try:
        with path.open("rb") as file:
            return len(file.readlines(2**20)) > 1  # the first line is the head
    except FileNotFoundError:
        return False


def read_answers(path: Path, endpoints: Sequence[str]) -> list[ImageAnswers]:
    """Reads the answers of an earlier run, the last ones for each image.

    Raises:
        ToolError: the file is missing or unreadable, or has answers of other endpoints.
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
    answers = (_answers(value) for value in values[1:])
    return list({each.file: each for each in answers if each is not None}.values())


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
