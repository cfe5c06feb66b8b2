"""Runs models: one module for each runtime, imported when a model needs it."""
