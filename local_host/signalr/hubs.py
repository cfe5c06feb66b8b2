"""Finds the SignalR service of each setting; an empty setting selects the emulator."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from local_host.errors import HostError
from local_host.sockets import listen

if TYPE_CHECKING:
    from local_host.signalr.endpoint import SignalREndpoint

__all__ = ["Hubs", "listen_for_emulator"]


@dataclass(frozen=True)
class Hubs:
    """The SignalR services of an app. Plain data: every worker process gets a copy.

    Attributes:
        services: the service of each setting.
        emulator: the service that this host emulates; None if all are real.
    """

    services: Mapping[str, SignalREndpoint] = field(default_factory=dict)
    emulator: SignalREndpoint | None = None

    @classmethod
    def find(
        cls, settings: Collection[str], environ: Mapping[str, str], emulator_url: str | None
    ) -> Hubs:
        """Reads the connection strings.

        Args:
            settings: the names of the settings.
            environ: app settings.
            emulator_url: the emulator's URL; needed if one of the settings is empty.

        Raises:
            HostError: a connection string is invalid.
        """
        if not settings:
            return cls()
        # Imported late: most apps do not need it.
        from local_host.signalr.endpoint import SignalREndpoint

        emulator = None
        services: dict[str, SignalREndpoint] = {}
        if emulator_url is not None:
            emulator = SignalREndpoint(emulator_url, secrets.token_urlsafe(48))
        for setting in sorted(settings):
            text = environ.get(setting, "").strip()
            if not text and emulator is not None:
                services[setting] = emulator
                continue
            try:
                services[setting] = SignalREndpoint.parse_connection_string(text)
            except HostError as exc:
                raise HostError(f"{setting}: {exc}") from exc
        return cls(services, emulator)


def listen_for_emulator(
    settings: Collection[str], environ: Mapping[str, str], address: str, port: int
) -> socket.socket | None:
    """Listens for the emulator's clients if a setting is empty: on ``port`` if that is free.

    Returns:
        the socket, which the caller closes; None if no emulator is needed.
    """
    if all(environ.get(setting, "").strip() for setting in settings):
        return None
    try:
        return listen(address, port)
    except HostError:
        return listen(address, 0)
