"""Defines the error that every command reports in one sentence."""

from __future__ import annotations

__all__ = ["ToolError"]


class ToolError(Exception):
    """A command cannot do what was asked; the message is a sentence with the reason and advice.

    No message holds a secret: it is printed.
    """
