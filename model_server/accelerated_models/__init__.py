"""Answers the clients of Azure ML's accelerated models."""
