"""Which number a new version gets: one that was never given to another version of the model.

A server may still hold a version that was deleted. If its number came again, the server would go on
answering with the old one under it. So what is deleted is noted, in ``.versions.json``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from image_classifier.model_files.names import MOST_VERSION_DIGITS
from tools.shared.errors import ToolError

__all__ = ["NOTES_FILE", "as_notes", "next_number", "noted", "parse_notes"]

# In the folder with all models, or under the prefix. Hidden: no model, and never deployed.
NOTES_FILE = ".versions.json"


def next_number(name: str, there: Iterable[int], notes: Mapping[str, int]) -> int:
    """The number after the highest that there is, or was before it was deleted.

    Args:
        name: of the model.
        there: the numbers of its versions.
        notes: the highest number that was deleted, for each model.

    Raises:
        ToolError: no server would find a version of that number.
    """
    number = max([*there, notes.get(name, 0)]) + 1
    if number >= 10**MOST_VERSION_DIGITS:
        raise ToolError(
            f"After {number - 1} {name} has no next number: a version has at most "
            f"{MOST_VERSION_DIGITS} digits. Give it a number that is free (--version)."
        )
    return number


def noted(notes: Mapping[str, int], name: str, number: int) -> dict[str, int]:
    """The notes, after one more version was deleted."""
    return {**notes, name: max(number, notes.get(name, 0))}


def as_notes(notes: Mapping[str, int]) -> str:
    """The text of the file; ``parse_notes`` reads it back."""
    return json.dumps(dict(sorted(notes.items())), indent=2) + "\n"


def parse_notes(text: bytes, *, where: str) -> dict[str, int]:
    """Reads the file.

    Args:
        text: what it says.
        where: what to call it in an error.

    Raises:
        ToolError: it says something else.
    """
    try:
        notes = json.loads(text)
        if all(type(number) is int and number >= 0 for number in notes.values()):
            return dict(notes)
    except (ValueError, AttributeError, RecursionError):
        pass
    raise ToolError(
        f"{where} is not the list of the highest numbers that were deleted. Mend it, as in "
        '{"pets": 7}, or remove it.'
    )
