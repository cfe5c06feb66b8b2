"""Measures speed and memory, and searches for crashes and leaks: ``python -m benchmarks``."""

from __future__ import annotations

from pathlib import Path

__all__ = ["ROOT"]

ROOT = Path(__file__).resolve().parents[1]
