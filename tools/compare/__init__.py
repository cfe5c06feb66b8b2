"""Holds one prediction endpoint against another: python -m tools.compare."""
