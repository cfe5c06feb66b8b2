"""Baselines of comparisons: the tutorial, and clients of retired services."""
