"""Runs uvicorn: ``python -m benchmarks.peers.apps.reference_server APP PORT WORKERS``."""

from __future__ import annotations

import socket
import sys

import uvicorn
from uvicorn.supervisors import Multiprocess


def main(app: str, port: int, workers: int) -> None:
    """Runs an app with the host's own parser and event loop, and no log of requests."""
    config = uvicorn.Config(
        f"benchmarks.peers.apps.{app}:app",
        workers=workers,
        http="httptools",
        loop="asyncio",
        access_log=False,
        log_level="warning",
    )
    server = uvicorn.Server(config)
    # TCP is named, which uvicorn --workers does not do: without it asyncio leaves out TCP_NODELAY,
    # and answers wait 40 ms for the client's delayed acknowledgement.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", port))
        sock.set_inheritable(True)
        if workers == 1:
            server.run([sock])
        else:
            Multiprocess(config, [sock]).run()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
