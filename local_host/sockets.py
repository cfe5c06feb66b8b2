"""Opens the sockets on which the host listens."""

from __future__ import annotations

import errno
import socket
import sys

from local_host.errors import HostError

__all__ = ["BACKLOG", "listen"]

BACKLOG = 2048


def listen(address: str, port: int) -> socket.socket:
    """Binds and listens at once, so that early requests wait for the host instead of failing.

    Raises:
        HostError: the port is in use, or this machine does not have the address; the message
            gives the remedy.
    """
    # As `func start`: the name may resolve to ::1 first, and 127.0.0.1 would not answer.
    host = "127.0.0.1" if address == "localhost" else address.strip("[]")
    try:
        family, _, _, _, endpoint = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as exc:
        raise HostError(f"--address {address} is not an address: {exc}.") from exc
    # The protocol must be given: asyncio disables Nagle's algorithm only on sockets whose protocol
    # is TCP, and with it every response on a kept-alive connection takes 40 ms longer.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if sys.platform == "win32":
            # On Windows SO_REUSEADDR would let two hosts share a port.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(endpoint)
        sock.listen(BACKLOG)
    except OSError as exc:
        sock.close()
        raise HostError(_explain(address, port, exc)) from exc
    return sock


def _explain(address: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{address} is not an address of this machine. Try --address 127.0.0.1."
    if isinstance(error, PermissionError) and port < 1024:
        return f"Port {port} needs special rights. Specify another port using --port [-p]."
    return (
        f"Port {port} is unavailable. Close the process using that port, or specify another port "
        "using --port [-p]."
    )
