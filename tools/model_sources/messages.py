"""Formats text from an export for messages: short, and harmless to a terminal."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from tools.shared.errors import ToolError

__all__ = ["errors_named", "listed", "shown"]

_MOST_LISTED = 5
_MOST_CHARACTERS = 600


def shown(text: object) -> str:
    """Shortens text from an export, and escapes all characters that are not printable."""
    words, half = str(text), _MOST_CHARACTERS // 2
    if len(words) > _MOST_CHARACTERS:
        words = f"{words[:half]} … {words[-half:]}"
    return "".join(
        character
        if character.isprintable()
        else character.encode("unicode_escape", "surrogatepass").decode("ascii")
        for character in words
    )


def listed(names: Collection[str]) -> str:
    """Joins the first few names, and says how many more there are."""
    first = ", ".join(sorted(names)[:_MOST_LISTED])
    more = len(names) - _MOST_LISTED
    return f"{first} and {more} more" if more > 0 else first


@contextmanager
def errors_named(name: str) -> Iterator[None]:
    """Puts the name of a source before the errors about its content.

    Raises:
        ToolError: the one raised inside, with the name before it.
    """
    try:
        yield
    except ToolError as exc:
        raise ToolError(f"{name}: {exc}") from exc
