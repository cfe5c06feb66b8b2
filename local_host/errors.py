"""Defines the error that ends a start of the host."""

from __future__ import annotations

__all__ = ["HostError"]


class HostError(Exception):
    """The host cannot start; the message gives the reason and the remedy."""
