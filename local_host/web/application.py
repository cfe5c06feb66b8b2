"""Builds the web application: CORS, then ``/admin``, the functions' routes and the pages."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from local_host.console import Console
from local_host.functions.function_table import Function
from local_host.functions.http_messages import (
    ClientDisconnected,
    body_length,
    read_body,
    to_request,
    to_response,
)
from local_host.functions.invoker import FunctionFailed, Invoker
from local_host.functions.loader import LoadedFunction
from local_host.host_config import HostConfig
from local_host.web.admin import Admin
from local_host.web.image_folder import Images
from local_host.web.pages import Pages
from local_host.web.request_limits import Throttle
from local_host.web.routes import RouteTable, decode_path

__all__ = ["build_app"]


class HostCors(CORSMiddleware):
    """Applies ``Host.CORS``: any method and header from the configured origins.

    A preflight request is answered without a matching route and always with 204; the headers
    give the browser the result.
    """

    def preflight_response(self, request_headers: Headers) -> Response:
        """Returns Starlette's headers in the real host's form."""
        answer = super().preflight_response(request_headers)
        is_allowed = answer.status_code == 200
        kept = {
            name: value
            for name, value in answer.headers.items()
            if name == "vary" or (is_allowed and name.startswith("access-control-"))
        }
        return Response(status_code=204, headers=kept)


class FunctionRoutes(BaseRoute):
    """All HTTP functions as one route of the application."""

    def __init__(
        self,
        config: HostConfig,
        loaded: dict[str, LoadedFunction],
        invoker: Invoker,
        console: Console,
    ) -> None:
        self._table = RouteTable(config.table.functions, config.host_file.route_prefix)
        self._loaded = loaded
        self._invoker = invoker
        self._console = console
        self._body_limit = config.body_limit
        self._throttle = Throttle(config.host_file)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Finds the function; a wrong method is no match, as in the real host."""
        if scope["type"] != "http":
            return Match.NONE, {}
        raw_path: bytes = scope.get("raw_path") or scope["path"].encode()
        path = decode_path(raw_path.decode("utf-8", "replace"))
        route = self._table.match(scope["method"], path)
        if route is None:
            return Match.NONE, {}
        function, values = route
        return Match.FULL, {"function": function, "path_params": values}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Calls the function that ``matches`` put into the scope."""
        if not self._throttle.enter():
            response = Response(status_code=429, headers={"X-FUNCTION-SCALEOUT": "1"})
        else:
            try:
                async with self._throttle.turn:
                    response = await self._answer(scope["function"], scope, receive)
            except ClientDisconnected:
                return
            finally:
                self._throttle.leave()
        await response(scope, receive, send)

    async def _answer(self, function: Function, scope: Scope, receive: Receive) -> Response:
        length = body_length(scope)
        if length > self._body_limit:
            return Response(status_code=413)
        body = await read_body(receive) if length else b""
        loaded = self._loaded.get(function.name)
        if loaded is None:
            return Response(status_code=500)
        request = to_request(scope, body, scope["path_params"])
        try:
            outputs = await self._invoker.invoke(loaded, request)
            return to_response(outputs.of_type(loaded, "http"))
        except FunctionFailed:
            return Response(status_code=500)
        except (ValueError, UnicodeError) as exc:
            self._console.line(
                f"The response of 'Functions.{function.name}' cannot be sent: {exc}", "red"
            )
            return Response(status_code=500)


class _FunctionsFirst:
    """Routes function requests before Starlette's router, which saves 0.1 ms each."""

    def __init__(self, functions: FunctionRoutes, rest: ASGIApp) -> None:
        self._functions = functions
        self._rest = rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not scope["path"].startswith("/admin"):
            match, child_scope = self._functions.matches(scope)
            if match is Match.FULL:
                scope.update(child_scope)
                await self._functions.handle(scope, receive, send)
                return
        await self._rest(scope, receive, send)


def build_app(
    config: HostConfig,
    loaded: dict[str, LoadedFunction],
    load_errors: dict[str, str],
    invoker: Invoker,
    console: Console,
) -> ASGIApp:
    """Builds the application of one worker process."""

    async def empty(request: Request, exc: Exception) -> Response:
        # As in the real host: an empty body, and never 405.
        return Response(status_code=404)

    images = [Mount("/images", app=Images(config.images))] if config.images else []
    functions = FunctionRoutes(config, loaded, invoker, console)
    rest = Starlette(
        routes=[
            *Admin(config, loaded, load_errors, invoker, console).routes(),
            functions,  # for routes that begin with "admin"
            *images,
            Mount("/", app=Pages(config.root)),
        ],
        exception_handlers={404: empty, 405: empty},
    )
    rest.router.redirect_slashes = False
    app = _FunctionsFirst(functions, rest)
    if not config.cors.origins:
        return app
    return HostCors(
        app,
        allow_origins=config.cors.origins,
        allow_methods=["*"],
        allow_headers=["*"],
        allow_credentials=config.cors.credentials,
    )
