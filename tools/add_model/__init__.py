"""Adds an export of Custom Vision as a model: python -m tools.add_model EXPORT.zip --name NAME."""
