"""Reads the files of a version folder, one module for each."""
