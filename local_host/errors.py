from __future__ import annotations

__all__ = ["HostError"]


class HostError(Exception):
    """The host cannot start; the message says why and what to do."""
