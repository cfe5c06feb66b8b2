"""Connects the bindings of function.json with their values."""
