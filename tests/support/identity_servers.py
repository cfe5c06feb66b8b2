"""The platform's endpoint for tokens of a managed identity, on this machine."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

__all__ = ["IdentityEndpoint"]


class _Handler(BaseHTTPRequestHandler):
    endpoint: ClassVar[IdentityEndpoint]

    def do_GET(self) -> None:
        endpoint = self.endpoint
        address = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(address.query).items()}
        endpoint.asked.append(asked)
        endpoint.is_over.wait(endpoint.delay_seconds)
        known = asked.get("client_id", "") in ("", endpoint.client_id)
        if self.headers["X-IDENTITY-HEADER"] != endpoint.key or address.path != "/msi/token":
            self._answer(401, {"message": "who are you?"})
        elif asked.get("api-version") != "2019-08-01" or not known or endpoint.status != 200:
            self._answer(endpoint.status if endpoint.status != 200 else 400, {"message": "no"})
        else:
            endpoint.issued += 1
            ends = str(int(time.time() + endpoint.lifetime_seconds))
            fields = {"token_type": "Bearer", "resource": asked["resource"], "expires_on": ends}
            self._answer(200, {**fields, "access_token": endpoint.token} | endpoint.also)

    def _answer(self, status: int, fields: dict[str, str]) -> None:
        body = json.dumps(fields).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Who asked has gone, which is often the point."""


class IdentityEndpoint:
    """The endpoint that App Service and Functions give their apps, for a ``with`` block.

    Attributes:
        url: what the platform writes into IDENTITY_ENDPOINT.
        key: what it writes into IDENTITY_HEADER.
        asked: the query of each request.
        issued: how many tokens it gave out; each is another text.
        lifetime_seconds, delay_seconds, status, also: how it answers.
    """

    def __init__(self, client_id: str = "") -> None:
        self.key = "the-apps-own-key"
        self.client_id = client_id
        self.asked: list[dict[str, str]] = []
        self.issued = 0
        self.lifetime_seconds, self.delay_seconds = 86400.0, 0.0
        self.status = 200
        self.is_over = threading.Event()
        self.also: dict[str, str] = {}
        handler = type("Handler", (_Handler,), {"endpoint": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/msi/token"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def token(self) -> str:
        """The newest token."""
        return f"TOKEN-{self.issued}"

    @property
    def environ(self) -> dict[str, str]:
        """What the platform writes into an app's environment."""
        return {"IDENTITY_ENDPOINT": self.url, "IDENTITY_HEADER": self.key}

    def __enter__(self) -> IdentityEndpoint:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.is_over.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
