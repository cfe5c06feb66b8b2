"""Reads, loads and calls the functions, as Microsoft's worker does."""
