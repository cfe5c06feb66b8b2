"""Resolves the bindings of function.json to targets and converts their values."""
