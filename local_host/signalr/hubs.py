"""Which SignalR service each setting means; one that is empty means the emulator."""

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
    """Plain data: every worker process gets a copy.

    Attributes:
        services: a service for each setting that functions name.
        emulator: the one of them that this host is; None when all are real.
    """

    services: Mapping[str, SignalREndpoint] = field(default_factory=dict)
    emulator: SignalREndpoint | None = None

    @classmethod
    def find(
        cls, settings: Collection[str], environ: Mapping[str, str], emulator_url: str | None
    ) -> Hubs:
        """Reads the connection strings.

        Args:
            settings: what functions name.
            environ: app settings.
            emulator_url: where the emulator is; needed when one of the settings is empty.

        Raises:
            HostError: a connection string cannot be used.
        """
        if not settings:
            return cls()
        # Imported late: it needs a library that most apps do without.
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
    """Listens for the emulator's clients when a setting is empty: on ``port`` if that is free.

    Returns:
        the socket, which the caller closes; None when no emulator is needed.
    """
    if all(environ.get(setting, "").strip() for setting in settings):
        return None
    try:
        return listen(address, port)
    except HostError:
        return listen(address, 0)
