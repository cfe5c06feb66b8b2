"""Serves the files of a folder, each after a delay, as the internet does to a queue of URLs.

    python -m benchmarks.servers.image_server FOLDER --delay-ms 50

Prints its port. It does as little as possible, since it shares the cores with the app.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote

ADDRESS = "127.0.0.1"
TYPES = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png"}


def answers_for(folder: Path) -> dict[str, bytes]:
    """Maps paths to whole responses, for every file below the folder."""
    responses = {}
    for path in sorted(folder.rglob("*")):
        kind = TYPES.get(path.suffix.lower())
        if path.is_file() and kind is not None:
            body = path.read_bytes()
            head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
            responses["/" + path.relative_to(folder).as_posix()] = head.encode() + body
    return responses


async def serve(answers: Mapping[str, bytes], sock: socket.socket, delay: float) -> None:
    """Answers until it is cancelled.

    Args:
        answers: from ``answers_for``.
        sock: bound already.
        delay: seconds from the request to its answer.
    """
    missing = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"

    async def on_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                request = await reader.readuntil(b"\r\n\r\n")
                target = request.split(b" ", 2)[1].decode("latin-1").partition("?")[0]
                await asyncio.sleep(delay)
                writer.write(answers.get(unquote(target), missing))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(on_connection, sock=sock, backlog=512)
    async with server:
        await server.serve_forever()


def main(arguments: Sequence[str] | None = None) -> None:
    """Serves until it is ended."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.servers.image_server")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--delay-ms", type=float, default=50)
    options = parser.parse_args(arguments)
    # The protocol is named, or asyncio leaves Nagle's algorithm on: 44 ms more.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as sock:
        sock.bind((ADDRESS, 0))
        print(sock.getsockname()[1], flush=True)
        asyncio.run(serve(answers_for(options.folder), sock, options.delay_ms / 1000))


if __name__ == "__main__":
    main()
