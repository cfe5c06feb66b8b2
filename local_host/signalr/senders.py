"""SignalR in the local host: what the rest of it uses.

A function's ``signalRConnectionInfo`` input is ``connection_info``; what it gives to a ``signalR``
output goes to a ``Sender``: the real ``AzureSignalRService`` when ``AzureSignalRConnectionString``
is set, else the ``SignalREmulator``.
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
    """Takes messages for a hub's clients. Belongs to one event loop."""

    async def send(self, hub: str, message: Mapping[str, Any]) -> None:
        """Sends one message or does one group action.

        Raises:
            SignalRError: it is not a message, or was not taken.
        """

    async def close(self) -> None:
        """Lets go of what it holds."""
