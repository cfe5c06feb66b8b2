"""Custom Vision's prediction API and its exported container."""
