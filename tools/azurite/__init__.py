"""Runs Azurite, Microsoft's storage emulator, as a command (``python -m tools.azurite``)."""

from tools.bootstrap.azurite_emulator import DEFAULT_PORT, Azurite, install

__all__ = ["DEFAULT_PORT", "Azurite", "install"]
