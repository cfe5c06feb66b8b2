"""Trains the demo model ``digits`` and freezes it as a Custom Vision-shaped graph."""
