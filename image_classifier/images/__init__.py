"""Turns an image file's bytes into the tensor that a model takes."""
