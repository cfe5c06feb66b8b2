"""Sends load to a server on this machine and checks every answer.

A process of its own, so that its cost is neither the measuring program's nor the server's:
``python -m benchmarks.load.generator`` reads a load as JSON from each line of its standard input,
and writes its outcome as JSON to a line of its standard output.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict

from benchmarks.load.http_client import open_http
from benchmarks.load.plan import ENOUGH_ERRORS, Ask, BadAnswer, Load, Outcome


async def send(load: Load) -> Outcome:
    """Sends a load to its end."""
    async with _open(load) as ask:
        sender = _Sender(ask)
        # Pauses of the garbage collector would count as the server's.
        gc.disable()
        try:
            await (_closed_loop if load.rate is None else _open_loop)(load, sender)
        finally:
            gc.enable()
    return sender.finish()


def _open(load: Load) -> AbstractAsyncContextManager[Ask]:
    if load.kind == "grpc":
        # Imported late: the other loads need no gRPC.
        from benchmarks.load.grpc_client import open_grpc

        return open_grpc(load)
    return open_http(load)


class _Sender:
    """Times requests and collects their outcome."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self.outcome = Outcome()
        self._first = self._last = 0.0

    async def send(self, since: float | None = None) -> None:
        """Sends one request; its latency is counted from ``since``, or from now."""
        started = time.perf_counter() if since is None else since
        try:
            await self._ask()
        except (BadAnswer, OSError, TimeoutError) as exc:
            self.outcome.errors.append(f"{type(exc).__name__}: {exc}")
            return
        self._last = time.perf_counter()
        self._first = self._first or self._last
        self.outcome.latencies.append((self._last - started) * 1000)

    def finish(self) -> Outcome:
        """Adds the answers a second, from the first answer to the last."""
        if self._last > self._first:
            count = len(self.outcome.latencies)
            self.outcome.per_second = (count - 1) / (self._last - self._first)
        return self.outcome


async def _closed_loop(load: Load, sender: _Sender) -> None:
    end = time.perf_counter() + load.seconds

    async def client() -> None:
        while time.perf_counter() < end and len(sender.outcome.errors) < ENOUGH_ERRORS:
            await sender.send()

    await asyncio.gather(*(client() for _ in range(load.clients)))


async def _open_loop(load: Load, sender: _Sender) -> None:
    assert load.rate is not None
    begin = time.perf_counter()
    requests: list[Awaitable[None]] = []
    for number in range(max(1, round(load.rate * load.seconds))):
        due = begin + number / load.rate
        while (now := time.perf_counter()) < due:  # noqa: ASYNC110 - nothing but time can end it
            await asyncio.sleep(due - now)
        sender.outcome.late.append((now - due) * 1000)
        requests.append(asyncio.ensure_future(sender.send(due)))
        await asyncio.sleep(0)  # it is sent now, also when the next one is due already
        if len(sender.outcome.errors) >= ENOUGH_ERRORS:
            break
    await asyncio.gather(*requests)


def main(read: Callable[[], str], write: Callable[[str], object]) -> int:
    """Sends the load of each line until there are no more lines."""
    while line := read():
        outcome = asyncio.run(send(Load(**json.loads(line))))
        write(json.dumps(asdict(outcome)) + "\n")
    return 0


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.stdin.readline, _write))
