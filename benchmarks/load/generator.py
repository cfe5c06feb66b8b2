"""Sends load to a server on this machine and checks every answer.

A process of its own, so that what it costs is not the measuring program's and never the server's:
``python -m benchmarks.load.generator`` reads a load as JSON from each line of its standard input,
and writes its outcome as JSON to a line of its standard output.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

ADDRESS = "127.0.0.1"
TOLERANCE = 1e-3  # of a probability
PATIENCE_SECONDS = 60
# A server that answers nothing right need not be asked to the end.
ENOUGH_ERRORS = 20


@dataclass(frozen=True, kw_only=True)
class Load:
    """What to send.

    Attributes:
        port: of the server.
        path: where images are posted.
        file: the image, or the whole body of a request of another kind.
        content_type: of the request.
        tag: that every answer must name.
        probability: of that tag.
        seconds: how long requests are begun.
        clients: closed loop: so many clients, each asks anew when it has its answer.
        rate: open loop: requests a second at a constant rate, whatever becomes of them;
            ``clients`` does not count then.
        kind: what is asked: ``classify`` (the app's own API), ``predict`` (TensorFlow Serving's,
            over REST) or ``grpc`` (the same over gRPC), with the signature ``probabilities``;
            ``custom_vision`` (the prediction API) or ``container`` (its exported container's).
    """

    port: int
    path: str
    file: str
    tag: str
    probability: float
    seconds: float
    content_type: str = "image/jpeg"
    clients: int = 1
    rate: float | None = None
    kind: str = "classify"


@dataclass
class Outcome:
    """What came of it.

    Attributes:
        latencies: ms, of each right answer: closed loop from the sending of the request, open
            loop from when it was due.
        per_second: right answers a second.
        errors: what was wrong, one line each.
        late: ms, open loop: how much after its due time each request was sent.
    """

    latencies: list[float] = field(default_factory=list)
    per_second: float = 0.0
    errors: list[str] = field(default_factory=list)
    late: list[float] = field(default_factory=list)


class BadAnswer(Exception):
    """The server failed, or its answer is wrong."""


def check_answer(load: Load, tag: object, probability: float) -> None:
    """Raises BadAnswer unless the answer is the one expected."""
    if tag != load.tag or not abs(probability - load.probability) <= TOLERANCE:
        raise BadAnswer(
            f"{tag} with {probability}, it should be {load.tag} with {load.probability}"
        )


def _read_classify(answer: Any) -> tuple[object, float]:
    tag = answer["predictedTagName"]
    return tag, {one["tagName"]: one["probability"] for one in answer["prediction"]}[tag]


def _read_predict(answer: Any) -> tuple[object, float]:
    (one,) = answer["predictions"]
    return one["label"], max(one["probabilities"])


def _read_custom_vision(answer: Any) -> tuple[object, float]:
    first = answer["predictions"][0]  # the most probable goes first
    return first["tagName"], first["probability"]


def _read_container(answer: Any) -> tuple[object, float]:
    best = max(answer["predictions"], key=lambda one: one["probability"])
    return best["tagName"], best["probability"]


_READERS: Mapping[str, Callable[[Any], tuple[object, float]]] = {
    "classify": _read_classify,
    "predict": _read_predict,
    "custom_vision": _read_custom_vision,
    "container": _read_container,
}


class _Connection(asyncio.Protocol):
    """One HTTP/1.1 connection, one request at a time."""

    def __init__(self) -> None:
        self._received = bytearray()
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._transport: asyncio.Transport | None = None
        self.is_open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.is_open = True

    def data_received(self, data: bytes) -> None:
        self._received += data
        head_end = self._received.find(b"\r\n\r\n")
        if head_end < 0 or self._answer is None or self._answer.done():
            return
        head = self._received[:head_end].decode("latin-1").lower()
        lines = [line.partition(":") for line in head.split("\r\n")]
        headers = {name: value.strip() for name, _, value in lines}
        if "content-length" not in headers:
            self._answer.set_exception(BadAnswer(f"no Content-Length: {head[:200]!r}"))
            self.close()
            return
        end = head_end + 4 + int(headers["content-length"])
        if len(self._received) < end:
            return
        body = bytes(self._received[head_end + 4 : end])
        del self._received[:end]
        if headers.get("connection") == "close":
            self.close()
        self._answer.set_result((int(head.split(" ", 2)[1]), body))

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(BadAnswer(f"the connection was cut: {exc}"))

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        self.is_open = False
        if self._transport is not None:
            self._transport.close()


class _Sender:
    """Asks one server the same thing again and again, over connections that it keeps."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._read = _READERS[load.kind]
        body = Path(load.file).read_bytes()
        head = (
            f"POST {load.path} HTTP/1.1\r\nHost: {ADDRESS}:{load.port}\r\n"
            f"Content-Type: {load.content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._request = head.encode() + body
        self._idle: list[_Connection] = []
        self.outcome = Outcome()
        self._first = self._last = 0.0

    async def ask(self, since: float | None = None) -> None:
        """One request; its latency is counted from ``since``, or from now."""
        started = time.perf_counter() if since is None else since
        connection = None
        try:
            connection = await self._connection()
            status, body = await asyncio.wait_for(connection.ask(self._request), PATIENCE_SECONDS)
            self._check(status, body)
        except (BadAnswer, OSError, TimeoutError) as exc:
            self.outcome.errors.append(f"{type(exc).__name__}: {exc}")
            if connection is not None:
                connection.close()
            return
        self._last = time.perf_counter()
        self._first = self._first or self._last
        self.outcome.latencies.append((self._last - started) * 1000)
        if connection.is_open:
            self._idle.append(connection)

    def finish(self) -> Outcome:
        """Closes the connections; counts from the first answer to the last."""
        for connection in self._idle:
            connection.close()
        if self._last > self._first:
            count = len(self.outcome.latencies)
            self.outcome.per_second = (count - 1) / (self._last - self._first)
        return self.outcome

    async def _connection(self) -> _Connection:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                return connection
        loop = asyncio.get_running_loop()
        return (await loop.create_connection(_Connection, ADDRESS, self._load.port))[1]

    def _check(self, status: int, body: bytes) -> None:
        if status != 200:
            raise BadAnswer(f"status {status}: {body[:200]!r}")
        try:
            tag, probability = self._read(json.loads(body))
        except (ValueError, LookupError, TypeError) as exc:
            raise BadAnswer(f"not an answer ({exc!r}): {body[:200]!r}") from exc
        check_answer(self._load, tag, probability)


async def send(load: Load) -> Outcome:
    """Sends a load to its end."""
    if load.kind == "grpc":
        from benchmarks.load.grpc_client import GrpcSender

        return await GrpcSender(load).closed_loop()
    sender = _Sender(load)
    # Its pauses would count as the server's.
    gc.disable()
    try:
        await (_closed_loop if load.rate is None else _open_loop)(load, sender)
    finally:
        gc.enable()
    return sender.finish()


async def _closed_loop(load: Load, sender: _Sender) -> None:
    end = time.perf_counter() + load.seconds

    async def client() -> None:
        while time.perf_counter() < end and len(sender.outcome.errors) < ENOUGH_ERRORS:
            await sender.ask()

    await asyncio.gather(*(client() for _ in range(load.clients)))


async def _open_loop(load: Load, sender: _Sender) -> None:
    assert load.rate is not None
    begin = time.perf_counter()
    asked: list[Awaitable[None]] = []
    for number in range(max(1, round(load.rate * load.seconds))):
        due = begin + number / load.rate
        while (now := time.perf_counter()) < due:
            await asyncio.sleep(due - now)
        sender.outcome.late.append((now - due) * 1000)
        asked.append(asyncio.ensure_future(sender.ask(due)))
        await asyncio.sleep(0)  # it is sent now, also when the next one is due already
        if len(sender.outcome.errors) >= ENOUGH_ERRORS:
            break
    await asyncio.gather(*asked)


def main(read: Callable[[], str], write: Callable[[str], object]) -> int:
    """Answers loads until there are no more lines."""
    while line := read():
        outcome = asyncio.run(send(Load(**json.loads(line))))
        write(json.dumps(asdict(outcome)) + "\n")
    return 0


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.stdin.readline, _write))
