"""Finds models, loads their versions, and chooses the version that answers."""
