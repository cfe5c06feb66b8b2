"""Answers REST requests as an ASGI application: reads bodies, calls the protocol, counts."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from contextvars import copy_context
from functools import partial
from typing import Any
from urllib.parse import parse_qs, unquote

from starlette.types import Receive, Scope, Send

from image_classifier.authentication import first_key, verify_key
from image_classifier.errors import Unauthorized
from image_classifier.observability import telemetry
from image_classifier.protocols.tf_serving.errors import Code, ServingError
from image_classifier.protocols.tf_serving.rest import RestAnswer, error_answer, handle, inflate
from image_classifier.protocols.tf_serving.service import TensorFlowServing, as_serving_error
from model_server.metrics import Metrics

__all__ = ["METRICS_PATH", "RestApplication"]

METRICS_PATH = "/monitoring/prometheus/metrics"

logger = logging.getLogger(__name__)

_NAMED = re.compile(r"/v1/models/([^/:]+)[^:]*(?::(\w+)|(/metadata))?", re.IGNORECASE)
_APIS = {"predict": "Predict", "classify": "Classify", "regress": "Regress"}
_ROUTES = {
    **{api: f"/v1/models/{{model}}:{verb}" for verb, api in _APIS.items()},
    "GetModelMetadata": "/v1/models/{model}/metadata",
    "GetModelStatus": "/v1/models/{model}",
}
_CORS = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-methods", b"POST, GET"),
    (b"access-control-allow-headers", b"Content-Type"),
]
_GONE = RestAnswer(499, b"", Code.CANCELLED)


class RestApplication:
    """The REST API and the metrics as an ASGI application.

    Args:
        serving: answers.
        metrics: counts requests.
        threads: requests answered at once.
        timeout_seconds: the limit for each part of the body, and for the answer.
        metrics_path: where the metrics are, or None.
        cors: pages of other origins may ask.
        largest_body: bytes.
    """

    def __init__(
        self,
        serving: TensorFlowServing,
        metrics: Metrics,
        *,
        threads: int,
        timeout_seconds: float = 30.0,
        metrics_path: str | None = None,
        cors: bool = False,
        largest_body: int = 2**31 - 1,
    ) -> None:
        self._serving = serving
        self._metrics = metrics
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="rest")
        self._timeout_seconds = timeout_seconds
        self._metrics_path = metrics_path
        self._cors = _CORS if cors else []
        self._largest_body = largest_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request; other kinds of connections are ignored."""
        if scope["type"] != "http":
            return
        started = time.perf_counter()
        path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        if self._metrics_path and path == self._metrics_path and scope["method"] == "GET":
            if refused := self._refused(scope, headers):
                await self._send(send, refused)
                return
            await self._send_text(send, self._metrics.text())
            return
        with _recorded(scope["method"], path, headers) as record:
            try:
                answer = await self._answer(scope, path, headers, receive)
            except asyncio.CancelledError:  # the server ends, and its grace period is over
                answer = error_answer(
                    ServingError(Code.UNAVAILABLE, "The server is being stopped.")
                )
            record.status = answer.status
            if answer.code is not Code.OK:
                record.outcome = answer.code.name
        self._count(path, answer.code, time.perf_counter() - started)
        await self._send(send, answer)

    async def _answer(
        self, scope: Scope, path: str, headers: dict[bytes, str], receive: Receive
    ) -> RestAnswer:
        if not path.lower().startswith("/v1/"):
            return error_answer(ServingError(Code.NOT_FOUND, "Not Found"))
        if scope["method"] == "OPTIONS" and self._cors and b"origin" in headers:
            return RestAnswer(200, b"")
        if refused := self._refused(scope, headers):
            return refused
        try:
            body = await self._body(receive, headers)
        except ServingError as exc:
            return error_answer(exc)
        if body is None:
            return _GONE
        # In the context that holds the record of the request.
        work = partial(copy_context().run, self._handle, scope["method"], path, body)
        running = asyncio.get_running_loop().run_in_executor(self._pool, work)
        try:
            return await asyncio.wait_for(running, self._timeout_seconds)
        except TimeoutError:
            what = f"The request took longer than {self._timeout_seconds:g} s"
            return error_answer(
                ServingError(Code.DEADLINE_EXCEEDED, f"{what} (--rest_api_timeout_in_ms).")
            )

    def _handle(self, method: str, path: str, body: bytes) -> RestAnswer:
        with self._metrics.calling(_api(path)):
            try:
                return handle(self._serving, method, path, body)
            except ServingError as exc:
                return error_answer(exc)
            except Exception as exc:
                logger.exception("a bug, answered with 500")
                return error_answer(as_serving_error(exc))

    async def _body(self, receive: Receive, headers: dict[bytes, str]) -> bytes | None:
        """Reads the whole body; None if the caller disconnects."""
        parts: list[bytes] = []
        size, more = 0, True
        while more:
            try:
                async with asyncio.timeout(self._timeout_seconds):
                    message = await receive()
            except TimeoutError:  # half a body must not block the request for ever
                raise ServingError(
                    Code.DEADLINE_EXCEEDED,
                    f"No more of the body has come for {self._timeout_seconds:g} s "
                    "(--rest_api_timeout_in_ms).",
                ) from None
            if message["type"] == "http.disconnect":
                return None
            part = message.get("body", b"")
            size += len(part)
            if size > self._largest_body:
                raise ServingError(
                    Code.INVALID_ARGUMENT,
                    f"The body is larger than {self._largest_body} bytes. Send fewer images at a "
                    "time.",
                )
            parts.append(part)
            more = message.get("more_body", False)
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        if headers.get(b"content-encoding", "").strip().lower() == "gzip":
            return inflate(body, limit=self._serving.largest_body)
        return body

    def _refused(self, scope: Scope, headers: dict[bytes, str]) -> RestAnswer | None:
        settings = self._serving.settings
        if not settings.api_keys:
            return None
        code = parse_qs(scope["query_string"].decode("latin-1")).get("code", [""])[0]
        given = first_key(
            headers.get(b"x-functions-key"),
            headers.get(b"prediction-key"),
            headers.get(b"authorization"),
            code,
        )
        try:
            verify_key(given, settings)
        except Unauthorized as exc:
            return error_answer(as_serving_error(exc))
        return None

    def _count(self, path: str, code: Code, seconds: float) -> None:
        match = _NAMED.match(path)
        if match is None:
            return
        self._metrics.add(unquote(match[1]), _api(path), "REST", code, seconds)

    async def _send(self, send: Send, answer: RestAnswer) -> None:
        extra = {
            401: [(b"www-authenticate", b"Bearer")],
            429: [(b"retry-after", b"1")],
            504: [(b"connection", b"close")],  # the rest of a body may still be on its way
        }.get(answer.status, [])
        headers = [(b"content-type", b"application/json"), *self._cors, *extra]
        await _respond(send, answer.status, headers, answer.body)

    async def _send_text(self, send: Send, text: str) -> None:
        await _respond(send, 200, [(b"content-type", b"text/plain")], text.encode())


def _api(path: str) -> str:
    match = _NAMED.match(path)
    verb = (match[2] or "").lower() if match else ""
    return _APIS.get(verb, "GetModelMetadata" if match and match[3] else "GetModelStatus")


def _recorded(
    method: str, path: str, headers: dict[bytes, str]
) -> AbstractContextManager[telemetry.Record]:
    method = method if method in ("GET", "POST", "OPTIONS") else "_OTHER"
    route = _ROUTES[_api(path)] if _NAMED.match(path) else "/"
    return telemetry.request(
        "rest",
        f"{method} {route}",
        attributes={"http.request.method": method, "http.route": route},
        header=lambda name: headers.get(name.encode()),
    )


async def _respond(
    send: Send, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes
) -> None:
    length = (b"content-length", str(len(body)).encode())
    start: dict[str, Any] = {"type": "http.response.start", "status": status}
    await send({**start, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})
