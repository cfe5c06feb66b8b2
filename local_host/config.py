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
    """What one run of the host is made of. Plain data: every worker process gets a copy.

    Attributes:
        root: the app's root folder, absolute.
        address: where the host listens.
        port: where the host listens; the real one, also when 0 was asked for.
        workers: how many processes run functions.
        body_limit: largest request body, in bytes.
        threads: threads for functions that are not ``async``, for each worker; None: by cores.
        colour: whether lines on the console may have colours.
        host_file: host.json.
        cors: the ``Host`` block's CORS.
        table: the functions.
        targets: what their bindings mean.
        environment: AZURE_FUNCTIONS_ENVIRONMENT.
        hubs: the SignalR services that they mean.
        images: a folder to be served under ``/images/``.
        pin_workers: whether each worker process is bound to a core of its own.
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
        """Where people find the host, without a slash at the end."""
        return address_url(self.address, self.port)

    def function_url(self, function: Function) -> str:
        """The address of an HTTP function, with its route template as it is."""
        parts = (self.host_file.route_prefix, function.route.strip("/"))
        path = "/".join(part for part in parts if part)
        return f"{self.url}/{quote(path, safe='/{}:*?()|^$,=+')}"

    @property
    def has_pages(self) -> bool:
        """Whether there is a page to show at ``/``."""
        return (self.root / "frontend" / "index.html").is_file()


def address_url(address: str, port: int) -> str:
    """How people name a place where the host listens, without a slash at the end."""
    if address in ("127.0.0.1", "0.0.0.0", "::1", "::", ""):
        name = "localhost" if address != "::1" else "[::1]"
    else:
        name = f"[{address}]" if ":" in address else address
    return f"http://{name}:{port}"
