"""Reads models from zip files and folders that are not trusted."""
