"""Serves the real host's ``/admin`` endpoints that are useful on a laptop."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import platform
import time
import uuid
from typing import Any

from azure.functions.http import HttpRequest
from azure.functions.meta import Datum
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from local_host.console import Console
from local_host.functions.converters import converter_for
from local_host.functions.function_table import Function
from local_host.functions.invoker import FunctionFailed, Invoker
from local_host.functions.loader import LoadedFunction
from local_host.host_config import HostConfig

__all__ = ["Admin"]


class Admin:
    """The endpoints of one worker process, which serves only when it is ready."""

    def __init__(
        self,
        config: HostConfig,
        loaded: dict[str, LoadedFunction],
        load_errors: dict[str, str],
        invoker: Invoker,
        console: Console,
    ) -> None:
        self._config = config
        self._loaded = loaded
        self._load_errors = load_errors
        self._invoker = invoker
        self._console = console
        self._id = uuid.uuid4().hex
        self._start = time.monotonic()
        self._tasks: set[asyncio.Task[None]] = set()

    def routes(self) -> list[BaseRoute]:
        """Returns the routes, which precede those of the functions."""
        return [
            Mount(
                "/admin",
                routes=[
                    Route("/host/status", self.status),
                    Route("/host/ping", self.ping, methods=["GET", "POST"]),
                    Route("/functions", self.functions),
                    Route("/functions/{name}", self.function),
                    Route("/functions/{name}", self.call, methods=["POST"]),
                ],
            )
        ]

    async def status(self, request: Request) -> Response:
        """``GET /admin/host/status``."""
        return JSONResponse(
            {
                "id": self._id,
                "state": "Running",
                "version": "local_host",
                "instanceId": self._id,
                "computerName": platform.node(),
                "processUptime": int((time.monotonic() - self._start) * 1000),
                "processId": os.getpid(),
                "workers": self._config.workers,
            }
        )

    async def ping(self, request: Request) -> Response:
        """``GET|POST /admin/host/ping``."""
        return Response()

    async def functions(self, request: Request) -> Response:
        """``GET /admin/functions``."""
        return JSONResponse([self._describe(one) for one in self._config.table.functions])

    async def function(self, request: Request) -> Response:
        """``GET /admin/functions/{name}``."""
        function = self._config.table.find(request.path_params["name"])
        return JSONResponse(self._describe(function)) if function else Response(status_code=404)

    async def call(self, request: Request) -> Response:
        """``POST /admin/functions/{name}`` with ``{"input": "…"}``: calls it, answers at once."""
        try:
            body = json.loads(await request.body())
        except ValueError:
            body = None
        if not isinstance(body, dict):
            return Response(status_code=400)
        function = self._config.table.find(request.path_params["name"])
        if function is None:
            return Response(status_code=404)
        task = asyncio.create_task(self._call(function, body.get("input")))
        # The loop keeps only weak references to tasks.
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return Response(status_code=202)

    async def _call(self, function: Function, argument: Any) -> None:
        loaded = self._loaded.get(function.name)
        if loaded is None:
            self._console.line(self._load_errors[function.name], "red")
            return
        if isinstance(argument, str):
            text = argument
        else:
            text = "" if argument is None else json.dumps(argument)
        try:
            value = self._trigger_value(function, text)
        except Exception as exc:
            self._console.line(f"The input for '{function.name}' cannot be converted: {exc}", "red")
            return
        # The console shows later errors; no client waits for an answer.
        with contextlib.suppress(FunctionFailed):
            await self._invoker.invoke(loaded, value)

    def _trigger_value(self, function: Function, text: str) -> Any:
        if function.is_http:
            return HttpRequest(
                method=(function.methods or ("POST",))[0],
                url=self._config.function_url(function),
                headers={},
                params={},
                route_params={},
                body_type="bytes",
                body=text.encode(),
            )
        converter = converter_for(function.trigger.type)
        if converter is None:
            return text
        return converter.decode(Datum(text, "string"), trigger_metadata={})

    def _describe(self, function: Function) -> dict[str, Any]:
        is_http = function.is_http
        return {
            "name": function.name,
            "href": f"{self._config.url}/admin/functions/{function.name}",
            "invoke_url_template": self._config.function_url(function) if is_http else "",
            "language": "python",
            "config": dict(function.config),
            "isDisabled": function.disabled,
            "error": self._load_errors.get(function.name),
        }
