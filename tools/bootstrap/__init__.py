"""Holds the modules that dev.py imports before anything is installed; standard library only."""
