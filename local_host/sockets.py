from __future__ import annotations

import errno
import socket
import sys

from local_host.errors import HostError

__all__ = ["BACKLOG", "listen"]

BACKLOG = 2048


def listen(address: str, port: int) -> socket.socket:
    """Binds and listens at once, so that early callers wait for the host instead of failing.

    Raises:
        HostError: the port is taken or the address is not ours; the message says what to do.
    """
    # As `func start`: the name may stand for ::1 first, and then 127.0.0.1 would not answer.
    host = "127.0.0.1" if address == "localhost" else address.strip("[]")
    try:
        family, _, _, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as exc:
        raise HostError(f"--address {address} is not an address: {exc}.") from exc
    # The protocol must be named: asyncio turns Nagle's algorithm off only on sockets that say
    # TCP, and with it on every answer on a kept-alive connection takes 40 ms longer.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if sys.platform == "win32":
            # There SO_REUSEADDR would let two hosts have the same port.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(place)
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
