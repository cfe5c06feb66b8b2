"""Bounds the pixels in memory, shares the cores, and tunes the allocator."""
