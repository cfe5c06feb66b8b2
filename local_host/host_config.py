"""Describes one run of the host as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from local_host.bindings.targets import BindingTargets
from local_host.configuration.host_json import HostFile
from local_host.configuration.local_settings import Cors
from local_host.functions.function_table import Function, FunctionTable
from local_host.signalr.hubs import Hubs

__all__ = ["HostConfig", "address_url"]


@dataclass(frozen=True)
class HostConfig:
    """The configuration of one run. Plain data: every worker process gets a copy.

    Attributes:
        root: the app's root folder, absolute.
        address: the address on which the host listens.
        port: the port on which the host listens; the real port even if 0 was requested.
        workers: the number of worker processes.
        body_limit: largest request body, in bytes.
        threads: threads of each worker for functions that are not ``async``; None: by cores.
        colour: whether console lines may have colours.
        host_file: host.json.
        cors: the CORS settings of the ``Host`` block.
        table: the functions.
        targets: the queues and hubs of their bindings.
        environment: AZURE_FUNCTIONS_ENVIRONMENT.
        hubs: the SignalR services of their bindings.
        images: a folder to serve under ``/images/``.
        pin_workers: whether each worker process is bound to its own core.
    """

    root: Path
    address: str
    port: int
    workers: int
    body_limit: int
    threads: int | None
    colour: bool
    host_file: HostFile
    cors: Cors
    table: FunctionTable
    targets: BindingTargets = BindingTargets()
    environment: str = "Development"
    hubs: Hubs = Hubs()
    images: Path | None = None
    pin_workers: bool = False

    @property
    def url(self) -> str:
        """The host's URL for users, without a trailing slash."""
        return address_url(self.address, self.port)

    def function_url(self, function: Function) -> str:
        """The URL of an HTTP function, with its route template unexpanded."""
        parts = (self.host_file.route_prefix, function.route.strip("/"))
        path = "/".join(part for part in parts if part)
        return f"{self.url}/{quote(path, safe='/{}:*?()|^$,=+')}"

    @property
    def has_pages(self) -> bool:
        """Whether the app has a page to show at ``/``."""
        return (self.root / "frontend" / "index.html").is_file()


def address_url(address: str, port: int) -> str:
    """The URL for users of a listening address, without a trailing slash."""
    if address in ("127.0.0.1", "0.0.0.0", "::1", "::", ""):
        name = "localhost" if address != "::1" else "[::1]"
    else:
        name = f"[{address}]" if ":" in address else address
    return f"http://{name}:{port}"
