"""Fills the queue: python -m tools.enqueue SOURCE."""
