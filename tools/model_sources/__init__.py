"""Reads zip archives and folders from strangers."""
