"""Downloads an image from a URL without reaching what the caller may not reach."""
