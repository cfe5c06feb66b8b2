"""Supervises the worker processes and the services that they share."""
