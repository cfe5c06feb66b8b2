"""Compares the answers of two prediction endpoints: python -m tools.compare."""
