"""Serves the emulator's REST API, for programs that call the real service.

Paths, verbs and statuses are those of API version 2022-06-01 and of its older form ``/api/v1``,
where a ``POST`` without ``/:send`` sends.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Literal
from urllib.parse import unquote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from local_host.signalr.clients import Hub
from local_host.signalr.endpoint import InvalidToken, SignalREndpoint
from local_host.signalr.messages import GroupChange, Invocation, Receivers, SignalRError

__all__ = ["bearer_token", "error_response", "rest_api"]

# The service's own limit for a message.
LARGEST_BODY_BYTES = 1024 * 1024
PREFIX = "/api/"
Member = Literal["connections", "users"]


def bearer_token(authorization: str | None) -> str:
    """Returns the token of an ``Authorization`` header; empty without one."""
    scheme, _, token = (authorization or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def error_response(status: int, message: str) -> Response:
    """Returns an error as the service formats it."""
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    return JSONResponse({"error": {"message": message}}, status, headers)


async def rest_api(
    request: Request,
    endpoint: SignalREndpoint,
    hub_named: Callable[[str], Hub],
    report_slow: Callable[[int], None],
) -> Response:
    """Answers one request.

    Args:
        request: any method on a path under ``/api/``.
        endpoint: its key signs the tokens, its URL starts their audience.
        hub_named: finds or creates a hub.
        report_slow: called with the number of clients that were closed as too slow.
    """
    raw_path: bytes = request.scope.get("raw_path") or request.url.path.encode()
    path = raw_path.decode("ascii", "replace").partition("?")[0]
    # Names of users and groups may contain a slash, so the path is split before it is decoded.
    parts = [unquote(part) for part in path.removeprefix(PREFIX).strip("/").split("/")]
    if parts[0] == "v1":
        del parts[0]
    if parts == ["health"] and request.method in ("GET", "HEAD"):
        return Response(status_code=200)
    if len(parts) < 2 or parts[0] != "hubs":
        return error_response(404, "The paths are /api/health and /api/hubs/{hub}/….")
    try:
        endpoint.read_token(
            bearer_token(request.headers.get("authorization")), _audiences(endpoint.url, path)
        )
    except InvalidToken as exc:
        return error_response(401, f"{exc}. The audience must be this URL without its query.")
    return await _Call(request, hub_named(parts[1]), report_slow).answer(parts[2:])


def _audiences(url: str, path: str) -> set[str]:
    return {url + form for form in (path, unquote(path), path.rstrip("/"))}


class _Call:
    def __init__(self, request: Request, hub: Hub, report_slow: Callable[[int], None]) -> None:
        self._request = request
        self._hub = hub
        self._report_slow = report_slow

    async def answer(self, parts: list[str]) -> Response:
        """Answers the request; ``parts`` is the path after the hub."""
        method = {"HEAD": "GET"}.get(self._request.method, self._request.method)
        if method == "POST":
            verb = parts.pop() if parts and parts[-1].startswith(":") else ":send"
            match verb, parts:
                case ":send", []:
                    return await self._send("all", "")
                case ":send", [("connections" | "users" | "groups") as kind, name]:
                    return await self._send(kind, name)
                case ":closeConnections", []:
                    return self._close("all", "")
                case ":closeConnections", [("users" | "groups") as kind, name]:
                    return self._close(kind, name)
        match method, parts:
            case "GET", [("connections" | "users" | "groups") as kind, name]:
                return _existence(bool(self._hub.select(kind, name)))
            case "GET", ["users", user, "groups", group] | ["groups", group, "users", user]:
                return _existence(self._hub.has_user_in_group(user, group))
            case "DELETE", ["connections", name]:
                return self._close("connections", name)
            case "DELETE", [("connections" | "users") as members, name, "groups"]:
                return self._change(GroupChange("removeAll", members, name, ""))
            case (
                ("PUT" | "DELETE"),
                [("connections" | "users") as members, name, "groups", group]
                | ["groups", group, ("connections" | "users") as members, name],
            ):
                action: Literal["add", "remove"] = "add" if method == "PUT" else "remove"
                return self._change(GroupChange(action, members, name, group))
        return error_response(404, "The path does not exist, or not with this method.")

    async def _send(self, receivers: Receivers, name: str) -> Response:
        try:
            body = await self._body()
            target, arguments = body["target"], body.get("arguments") or []
            if not isinstance(target, str) or not isinstance(arguments, list):
                raise ValueError
            excluded = self._request.query_params.getlist("excluded")
            invocation = Invocation(target, arguments, receivers, name)
            self._report_slow(self._hub.send(invocation, excluded))
        except OverflowError:
            return error_response(413, f"A message has at most {LARGEST_BODY_BYTES} bytes.")
        except (ValueError, KeyError, TypeError, RecursionError, SignalRError):
            return error_response(400, 'The body must be {"target": "…", "arguments": […]}.')
        except ClientDisconnect:
            return error_response(400, "The body ended early.")
        return Response(status_code=202)

    async def _body(self) -> dict[str, object]:
        chunks: list[bytes] = []
        size = 0
        async for chunk in self._request.stream():
            chunks.append(chunk)
            size += len(chunk)
            if size > LARGEST_BODY_BYTES:
                raise OverflowError
        body: dict[str, object] = json.loads(b"".join(chunks))
        return body

    def _close(self, receivers: Receivers, name: str) -> Response:
        excluded = self._request.query_params.getlist("excluded")
        reason = self._request.query_params.get("reason")
        for client in self._hub.select(receivers, name, excluded):
            client.close(reason)
        return Response(status_code=202)

    def _change(self, change: GroupChange) -> Response:
        ttl = self._request.query_params.get("ttl", "")
        is_changed = self._hub.change(change, float(ttl) if ttl.isdecimal() else None)
        if change.members == "users":
            return Response(status_code=202)
        return _existence(is_changed)


def _existence(exists: bool) -> Response:
    return Response(status_code=200 if exists else 404)
