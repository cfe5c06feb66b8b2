"""Defines the error that a protocol reports to its clients in its own terms."""

from __future__ import annotations

__all__ = ["ProtocolError"]


class ProtocolError(Exception):
    """A failure that a protocol has a code for; its own module renders it.

    Attributes:
        message: names the fault, what is allowed, and what to do.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
