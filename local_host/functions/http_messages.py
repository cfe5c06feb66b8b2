"""Converts ASGI requests to ``func.HttpRequest`` and the results of functions to responses.

Both conversions match the real host, down to its omissions: no empty query values, one value per
header name, no body without Content-Length.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl

from azure.functions import HttpResponse
from azure.functions.http import HttpRequest
from starlette.responses import Response
from starlette.types import Receive, Scope

from local_host.functions.converters import RESPONSE, converter_for

__all__ = ["ClientDisconnected", "body_length", "read_body", "to_request", "to_response"]

TEXT = "text/plain; charset=utf-8"
# Set by the server: they must match the bytes that are sent.
FRAMING_HEADERS = {"content-length", "transfer-encoding", "connection"}
STATUSES = range(100, 600)


class ClientDisconnected(Exception):
    """The client disconnected before its request was complete."""


def body_length(scope: Scope) -> int:
    """The value of Content-Length; 0 without one, so a chunked body counts as empty."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value)
    return 0


async def read_body(receive: Receive) -> bytes:
    """Reads the complete body.

    Raises:
        ClientDisconnected: the connection ended early.
    """
    chunks: list[bytes] = []
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnected
        chunks.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(chunks)


def to_request(scope: Scope, body: bytes, route_params: dict[str, str]) -> HttpRequest:
    """Builds the request that a function receives."""
    headers = _headers(scope["headers"])
    raw_path: bytes = scope.get("raw_path") or scope["path"].encode()
    query: str = scope["query_string"].decode("utf-8", "replace")
    url = f"{scope['scheme']}://{headers.get('host', '')}{raw_path.decode('utf-8', 'replace')}"
    return HttpRequest(
        method=scope["method"],
        url=f"{url}?{query}" if query else url,
        headers=headers,
        params=_query(query) if query else {},
        route_params=route_params,
        body_type="bytes",
        body=body,
    )


def _headers(pairs: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for raw_name, raw_value in pairs:
        name = raw_name.decode("latin-1")
        try:
            value = raw_value.decode()
        except UnicodeDecodeError:
            value = raw_value.decode("latin-1")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return headers


def _query(query: str) -> dict[str, str]:
    params: dict[str, str] = {}
    # .NET's query collection ignores case; the first spelling stays.
    spelling: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=False):
        known = spelling.setdefault(name.lower(), name)
        params[known] = f"{params[known]},{value}" if known in params else value
    return params


def to_response(datum: Any) -> Response:
    """Builds the response from the value of a function's ``http`` binding.

    Args:
        datum: an ``azure.functions`` Datum: the output of the binding's converter, or a complete
            HttpResponse of type ``RESPONSE``. None if the function set no response.

    Raises:
        ValueError: HTTP does not allow the status or a header.
    """
    if datum is None or datum.type is None:
        return Response(status_code=204)
    if datum.type == RESPONSE:
        return _from_function(datum.value)
    if datum.type == "http":
        return _from_http(datum.value)
    if datum.type == "string":
        return _from_text(datum.value)
    raise ValueError(f"a value of type {datum.type!r} is not an HTTP response")


def _from_function(response: HttpResponse) -> Response:
    """Gives the result of the library's converter and ``_from_http``, by a shorter path."""
    headers: Any = response.headers  # typed as a plain mapping, but it ignores the case of names
    if "set-cookie" in headers:
        return _from_http(converter_for("http").encode(response, expected_type=None).value)
    texts = dict(headers.items())
    if "content-type" not in headers:
        is_text = response.mimetype.startswith("text/")
        charset = f"; charset={response.charset}" if is_text else ""
        texts["content-type"] = f"{response.mimetype}{charset}"
    return _response(response.get_body(), response.status_code, texts)


def _from_http(value: dict[str, Any]) -> Response:
    headers = {name: header.value for name, header in value["headers"].items()}
    response = _response(value["body"].value, value["status_code"].value, headers)
    for cookie in value.get("cookies") or ():
        for morsel in cookie.values():
            response.headers.append("set-cookie", morsel.OutputString())
    return response


def _from_text(text: str) -> Response:
    """Uses the text as the body, unless it is a JSON object that describes a response."""
    if text.lstrip().startswith("{"):
        try:
            described = json.loads(text)
        except ValueError:
            described = {}
        if "body" in described:
            return _from_description(described)
    return _response(text.encode(), 200, {"content-type": TEXT})


def _from_description(described: dict[str, Any]) -> Response:
    body = described["body"]
    headers = described.get("headers")
    texts = {str(name).lower(): str(value) for name, value in (headers or {}).items()}
    if isinstance(body, str):
        content = body.encode()
        texts.setdefault("content-type", TEXT)
    elif body is None:
        content = b""
    else:
        content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        texts.setdefault("content-type", "application/json; charset=utf-8")
    return _response(content, described.get("status", described.get("statusCode", 200)), texts)


def _response(body: bytes, status: Any, headers: dict[str, str]) -> Response:
    code = int(status)
    if code not in STATUSES:
        raise ValueError(f"{code} is not an HTTP status")
    kept = {name: value for name, value in headers.items() if name.lower() not in FRAMING_HEADERS}
    return Response(b"" if code < 200 or code in (204, 304) else body, code, kept)
