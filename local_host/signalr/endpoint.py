"""Describes a SignalR service, and creates and checks its tokens."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

from local_host.errors import HostError

__all__ = ["InvalidToken", "SignalREndpoint", "client_url", "connection_info", "make_token"]

TOKEN_SECONDS = 3600
ALGORITHM = "HS256"
# As in tokens of the Functions host; the service accepts the second name, too.
USER_CLAIMS = ("asrs.s.uid", "nameid")
# HS256 requires a key as long as its hash; the service's keys have at least 44 characters.
SHORTEST_KEY = 32
EXAMPLE = "Endpoint=https://NAME.service.signalr.net;AccessKey=KEY;Version=1.0;"


class InvalidToken(Exception):
    """A token is missing, or has the wrong signature, audience or time."""


@dataclass(frozen=True)
class SignalREndpoint:
    """The URL of a SignalR service and the secret shared with it.

    Attributes:
        url: scheme, host and port, without a trailing slash.
        access_key: the key that signs the tokens.
    """

    url: str
    access_key: str = field(repr=False)

    @classmethod
    def parse_connection_string(cls, text: str) -> SignalREndpoint:
        """Reads ``Endpoint=https://…;AccessKey=…;Version=1.0;Port=…``, with names in any case.

        Raises:
            HostError: the text is invalid; the message gives the reason and never shows the key.
        """
        parts: dict[str, str] = {}
        for part in filter(None, map(str.strip, text.split(";"))):
            name, separator, value = part.partition("=")
            if not separator:
                raise _unusable("it has a part without '='")
            if name.strip().lower() in parts:
                raise _unusable(f"{name.strip()} occurs twice")
            parts[name.strip().lower()] = value.strip()
        if parts.get("authtype"):
            raise _unusable(
                "the local host supports AccessKey only, not AuthType. Copy the string with the "
                "key from the service's page Keys"
            )
        if parts.get("clientendpoint") or parts.get("serverendpoint"):
            raise _unusable("the local host supports one Endpoint only: leave the others out")
        if not parts.get("version", "1.0").startswith("1."):
            raise _unusable(f"Version={parts['version']} is unknown; 1.0 is the only one")
        key = parts.get("accesskey", "")
        if len(key) < SHORTEST_KEY:
            raise _unusable(
                f"AccessKey has {len(key)} characters, at least {SHORTEST_KEY} are required"
            )
        return cls(_url(parts.get("endpoint", ""), parts.get("port", "")), key)

    @property
    def connection_string(self) -> str:
        """The connection string, for clients of the REST API."""
        return f"Endpoint={self.url};AccessKey={self.access_key};Version=1.0;"

    def read_token(self, token: str | None, audiences: Iterable[str]) -> dict[str, Any]:
        """Checks a token and returns its claims.

        Args:
            token: the text after ``Bearer``; None or empty without a token.
            audiences: the accepted audiences, as URLs.

        Raises:
            InvalidToken: the token is missing or invalid; the message gives the reason.
        """
        if not token:
            raise InvalidToken("a token is needed: Authorization: Bearer …, or ?access_token=")
        # Imported late: with its own imports it takes a twentieth of the host's start.
        import jwt

        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self.access_key,
                algorithms=[ALGORITHM],
                audience=list(audiences),
                options={"require": ["aud", "exp"]},
            )
        except jwt.InvalidTokenError as exc:
            raise InvalidToken(str(exc)) from exc
        return claims


def client_url(endpoint: SignalREndpoint, hub: str) -> str:
    """Returns the URL for a hub's clients, which is also the audience of their tokens."""
    return f"{endpoint.url}/client/?hub={quote(hub.lower(), safe='')}"


def connection_info(
    endpoint: SignalREndpoint, hub: str, user_id: str | None = None
) -> dict[str, str]:
    """Returns the value of a ``signalRConnectionInfo`` binding: url and accessToken."""
    url = client_url(endpoint, hub)
    claims = {USER_CLAIMS[0]: user_id} if user_id else {}
    return {"url": url, "accessToken": make_token(endpoint, url, claims)}


def make_token(endpoint: SignalREndpoint, audience: str, claims: dict[str, str]) -> str:
    """Creates a JWT for one URL, valid for an hour."""
    now = int(time.time())
    times = {"nbf": now, "iat": now, "exp": now + TOKEN_SECONDS}
    import jwt

    return jwt.encode({**claims, **times, "aud": audience}, endpoint.access_key, ALGORITHM)


def user_of(claims: dict[str, Any]) -> str | None:
    """Returns the user of a client's token, if any."""
    return next((str(claims[name]) for name in USER_CLAIMS if claims.get(name)), None)


def _url(endpoint: str, port: str) -> str:
    try:
        parts = urlsplit(endpoint)
        named_port = parts.port
    except ValueError:
        raise _unusable("Endpoint is not a URL") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise _unusable("Endpoint must be a URL that starts with https:// or http://")
    if parts.path.strip("/") or parts.query or parts.fragment or parts.username:
        raise _unusable("Endpoint must be scheme and host only")
    if port and (not port.isdecimal() or not 0 < int(port) < 65536):
        raise _unusable(f"Port={port} must be a number from 1 to 65535")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    number = port or named_port
    return f"{parts.scheme}://{host}:{number}" if number else f"{parts.scheme}://{host}"


def _unusable(reason: str) -> HostError:
    return HostError(
        f"The SignalR connection string cannot be used: {reason}. It looks like {EXAMPLE}"
    )
