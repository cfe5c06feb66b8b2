"""Defines the senders of SignalR messages: the emulator and the real service.

``processes/shared_services.py`` imports this module late, for the first message or client.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from local_host.signalr.azure_service import AzureSignalRService
from local_host.signalr.emulator import SignalREmulator
from local_host.signalr.endpoint import SignalREndpoint, connection_info
from local_host.signalr.messages import SignalRError, parse_message

__all__ = [
    "Sender",
    "AzureSignalRService",
    "SignalREndpoint",
    "SignalRError",
    "SignalREmulator",
    "connection_info",
    "parse_message",
]


class Sender(Protocol):
    """Sends messages to a hub's clients, on one event loop."""

    async def send(self, hub: str, message: Mapping[str, Any]) -> None:
        """Sends one message or makes one change of a group.

        Raises:
            SignalRError: the message is invalid or was not accepted.
        """

    async def close(self) -> None:
        """Releases connections and tasks."""
