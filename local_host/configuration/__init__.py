"""Reads host.json and local.settings.json."""
