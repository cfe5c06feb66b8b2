"""Holds the modules that two or more tools use."""
