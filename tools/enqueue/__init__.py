"""Queues images: python -m tools.enqueue SOURCE."""
