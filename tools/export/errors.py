"""What goes wrong in an export and is no matter of the version's folder."""

from __future__ import annotations

__all__ = ["ExportError"]


class ExportError(Exception):
    """The model cannot be exported; the message says why and what to do."""
