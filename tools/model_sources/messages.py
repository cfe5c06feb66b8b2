"""What the tool says: one sentence, in characters that cannot do anything to a terminal."""

from __future__ import annotations

from collections.abc import Collection

__all__ = ["AddError", "listed", "shown"]

_MOST_LISTED = 5
_MOST_CHARACTERS = 600


class AddError(Exception):
    """The export cannot be added; the message says why and what to do."""


def shown(text: object) -> str:
    """Text from an export, of bearable length, with escapes for what is not printable."""
    whole, half = str(text), _MOST_CHARACTERS // 2
    if len(whole) > _MOST_CHARACTERS:
        whole = f"{whole[:half]} … {whole[-half:]}"
    return "".join(
        character
        if character.isprintable()
        else character.encode("unicode_escape", "surrogatepass").decode("ascii")
        for character in whole
    )


def listed(names: Collection[str]) -> str:
    """The first few names, and how many more there are."""
    first = ", ".join(sorted(names)[:_MOST_LISTED])
    more = len(names) - _MOST_LISTED
    return f"{first} and {more} more" if more > 0 else first
