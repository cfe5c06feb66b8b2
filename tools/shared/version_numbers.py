"""Chooses numbers for new versions, which no other version of the model ever had.

A server may still hold a deleted version. If its number came again, the server would go on
answering with the old version. So the numbers of deleted versions are kept in ``.versions.json``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from image_classifier.model_files.names import MOST_VERSION_DIGITS
from tools.shared.errors import ToolError

__all__ = ["NOTES_FILE", "as_notes", "next_number", "noted", "parse_notes"]

# In the folder with all models, or under the prefix. Hidden: not a model, and never deployed.
NOTES_FILE = ".versions.json"


def next_number(name: str, existing: Iterable[int], notes: Mapping[str, int]) -> int:
    """Returns the number after the highest of all existing and deleted versions.

    Args:
        name: of the model.
        existing: the numbers of its versions.
        notes: the highest deleted number of each model.

    Raises:
        ToolError: no server would find a version of that number.
    """
    number = max([*existing, notes.get(name, 0)]) + 1
    if number >= 10**MOST_VERSION_DIGITS:
        raise ToolError(
            f"After {number - 1} {name} has no next number: a version has at most "
            f"{MOST_VERSION_DIGITS} digits. Give it a number that is free (--version)."
        )
    return number


def noted(notes: Mapping[str, int], name: str, number: int) -> dict[str, int]:
    """Returns the notes after the deletion of one more version."""
    return {**notes, name: max(number, notes.get(name, 0))}


def as_notes(notes: Mapping[str, int]) -> str:
    """Formats the notes as the text of the file; ``parse_notes`` reads it."""
    return json.dumps(dict(sorted(notes.items())), indent=2) + "\n"


def parse_notes(text: bytes, *, where: str) -> dict[str, int]:
    """Parses the text of the file.

    Args:
        text: the content.
        where: the name of the file in errors.

    Raises:
        ToolError: the file has another content.
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
