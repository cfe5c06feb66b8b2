"""Servers under test, and servers to compare them with."""
