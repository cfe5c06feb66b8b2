"""Numbers as people read them."""

from __future__ import annotations


def number(value: float) -> str:
    """Three digits that count, and no more after the point than that."""
    size = abs(value)
    if size >= 100:
        return f"{value:.0f}"
    if size >= 10:
        return f"{value:.1f}"
    if size >= 0.1 or size == 0:
        return f"{value:.2f}" if size else "0"
    return f"{value:.2g}" if size < 0.001 else f"{value:.4f}"
