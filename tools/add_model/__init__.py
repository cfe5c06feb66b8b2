"""``python -m tools.add_model EXPORT.zip --name NAME``: what Custom Vision exported, as a model."""
