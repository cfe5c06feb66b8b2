"""Measures, compares and reports."""
