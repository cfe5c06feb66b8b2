"""Sends messages through the REST API of Azure SignalR Service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from local_host.signalr.endpoint import SignalREndpoint, make_token
from local_host.signalr.messages import (
    GroupChange,
    Invocation,
    SignalRError,
    parse_message,
    to_json,
)

if TYPE_CHECKING:
    import aiohttp

__all__ = ["AzureSignalRService"]

API_VERSION = "2022-06-01"
CONNECT_SECONDS = 5.0
TOTAL_SECONDS = 20.0
# The excerpt of an error response that is shown.
EXCERPT_CHARACTERS = 300
HINTS = {
    401: "The AccessKey in AzureSignalRConnectionString is not one of this service: copy it again",
    403: "The service's network or access rules reject this machine",
    404: "Does the connection exist, and is the service in Serverless mode?",
    413: "A message has at most 1 MB",
    429: "The service's quota of messages or connections is used up",
}


class AzureSignalRService:
    """A client of the service for one event loop; keeps its connections open between calls."""

    def __init__(self, endpoint: SignalREndpoint) -> None:
        self._endpoint = endpoint
        self._session: aiohttp.ClientSession | None = None

    async def send(self, hub: str, message: Mapping[str, Any]) -> None:
        """Sends one message of a ``signalR`` output, or changes a group.

        A call whose connection drops is repeated once, so a message may arrive twice.

        Raises:
            SignalRError: the message is invalid, or the service did not accept it.
        """
        method, path, body = _call(hub, parse_message(message))
        url = self._endpoint.url + path
        status, text = await self._request(method, url, body)
        is_absent = method == "DELETE" and status == 404  # already outside the group
        if not (200 <= status < 300 or is_absent):
            hint = HINTS.get(status, "The service failed")
            raise SignalRError(
                f"{method} {url} was answered with {status}. {hint}. "
                f"{' '.join(text.split())[:EXCERPT_CHARACTERS]}".strip()
            )

    async def close(self) -> None:
        """Closes the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _request(self, method: str, url: str, body: str | None) -> tuple[int, str]:
        # Imported late: the import takes a quarter of a second, and most hosts use the emulator.
        import aiohttp
        from yarl import URL

        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=TOTAL_SECONDS, sock_connect=CONNECT_SECONDS)
            self._session = aiohttp.ClientSession(timeout=timeout, trust_env=True)
        # Encoded already: the URL must be sent exactly as signed.
        signed_url = URL(f"{url}?api-version={API_VERSION}", encoded=True)
        headers = {
            "Authorization": f"Bearer {make_token(self._endpoint, url, {})}",
            "Content-Type": "application/json",
        }
        for is_last in (False, True):
            try:
                async with self._session.request(
                    method, signed_url, data=body, headers=headers
                ) as answer:
                    return answer.status, await answer.text(errors="replace")
            except aiohttp.ClientConnectorError as exc:
                reason = f"it cannot be reached: {exc}"
                break
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as exc:
                reason = f"the connection dropped: {exc}"
                if is_last:
                    break
            except TimeoutError:
                reason = f"no answer within {TOTAL_SECONDS:g} seconds"
                break
            except aiohttp.ClientError as exc:
                reason = f"its answer was not HTTP: {exc}"
                break
        raise SignalRError(
            f"The SignalR service did not accept a message: {reason}. Check the Endpoint in "
            "AzureSignalRConnectionString, and the network."
        )


def _call(hub: str, message: Invocation | GroupChange) -> tuple[str, str, str | None]:
    """Returns method, path and body of the request for a message."""
    path = f"/api/hubs/{_quote(hub.lower())}"
    if isinstance(message, Invocation):
        body = to_json({"target": message.target, "arguments": message.arguments})
        if message.receivers != "all":
            path += f"/{message.receivers}/{_quote(message.name)}"
        return "POST", f"{path}/:send", body
    member = _quote(message.name)
    method = "PUT" if message.action == "add" else "DELETE"
    if message.action == "removeAll":
        return method, f"{path}/{message.members}/{member}/groups", None
    group = _quote(message.group)
    if message.members == "users":
        return method, f"{path}/users/{member}/groups/{group}", None
    return method, f"{path}/groups/{group}/connections/{member}", None


def _quote(name: str) -> str:
    return quote(name, safe="")
