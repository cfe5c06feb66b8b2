"""Runs that look for leaks, crashes and lost messages."""
