"""An Internet on one machine for the tests of fetch: servers, a trap, a router, names, a clock."""

from __future__ import annotations

import errno
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import TracebackType

import pytest
import trustme

from image_classifier.fetching import connect

Answer = bytes | Callable[[socket.socket], None]
HAS_IPV6 = socket.has_ipv6
try:
    with socket.socket(socket.AF_INET6) as _probe:
        _probe.bind(("::1", 0))
except OSError:
    HAS_IPV6 = False


def ok(body: bytes = b"image", *headers: str, length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return http("200 OK", f"Content-Length: {size}", *headers, body=body)


def http(status: str, *headers: str, body: bytes = b"") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""]).encode() + body


class ManualClock:
    """A clock for deadlines that stands still until somebody advances it."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


def drip(start: bytes, piece: bytes, clock: ManualClock) -> Callable[[socket.socket], None]:
    """Sends ``start`` at once, then a piece in each second of the clock for a minute."""

    def answer(sock: socket.socket) -> None:
        sock.sendall(start)
        for _ in range(60):
            sock.sendall(piece)
            clock.advance(1)
        silent(sock)

    return answer


def endless(start: bytes, piece: bytes) -> Callable[[socket.socket], None]:
    """Sends for as long as somebody listens."""

    def answer(sock: socket.socket) -> None:
        sock.sendall(start)
        while True:
            sock.sendall(piece)

    return answer


def silent(sock: socket.socket) -> None:
    """Says nothing until the client gives up."""
    sock.recv(1)


class Server(socketserver.ThreadingTCPServer):
    """Answers every request with the same bytes, or lets a function answer.

    Attributes:
        requests: every request's head, as it came.
        connections: how often it was dialled.
    """

    allow_reuse_address = True
    request_queue_size = 64

    def __init__(
        self,
        answer: Answer = b"",
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        wrap: Callable[[socket.socket], socket.socket] | None = None,
    ) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.answer, self.wrap = answer, wrap
        self.requests: list[bytes] = []
        self.connections = 0
        super().__init__((host, port), socketserver.BaseRequestHandler)
        self.port: int = self.server_address[1]
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{self.port}"
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def finish_request(self, request: object, client_address: object) -> None:
        assert isinstance(request, socket.socket)
        self.connections += 1
        try:
            sock = self.wrap(request) if self.wrap else request
        except OSError:
            return  # the client did not like the certificate
        with sock:
            try:
                head = b""
                while b"\r\n\r\n" not in head:
                    data = sock.recv(65536)
                    if not data:
                        return
                    head += data
                self.requests.append(head)
                if callable(self.answer):
                    self.answer(sock)
                else:
                    sock.sendall(self.answer)
            except OSError:
                pass  # the client has gone, which is often the point

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class TlsServer(Server):
    def __init__(self, authority: trustme.CA, name: str, answer: Answer) -> None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert(name).configure_cert(context)
        super().__init__(answer, wrap=lambda sock: context.wrap_socket(sock, server_side=True))


class Trap:
    """Listens where nobody may knock: on 127.0.0.1 and ::1, on one port."""

    def __init__(self) -> None:
        self.servers = [Server(ok(b"the trap"))]
        self.port = self.servers[0].port
        if HAS_IPV6:
            with suppress(OSError):  # the port is taken there; 127.0.0.1 alone must do
                self.servers.append(Server(ok(b"the trap"), host="::1", port=self.port))

    @property
    def connections(self) -> int:
        return sum(server.connections for server in self.servers)

    def close(self) -> None:
        for server in self.servers:
            server.__exit__(None, None, None)


class Internet:
    """What this process can reach, and the names in it.

    A router between ``connect`` and the system, as a NAT router is: it leads public addresses to
    local servers, and lets nothing else out of this machine.

    Attributes:
        routes: (public address, port) -> (local address, port).
        names: name -> its addresses, or a list of answers, one for each time it is asked.
        dialled: every address and port that anything tried to connect to.
        asked: every name that was looked up.
    """

    def __init__(self) -> None:
        self.routes: dict[tuple[str, int], tuple[str, int]] = {}
        self.names: dict[str, Sequence[str] | Iterator[Sequence[str]]] = {}
        self.dialled: list[tuple[str, int]] = []
        self.asked: list[str] = []

    def publish(self, server: Server, address: str, port: int = 80) -> None:
        host, local_port = server.server_address[:2]
        self.routes[address, port] = (str(host), local_port)

    def resolve(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        answer = self.names.get(host)
        if answer is None:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return list(next(answer) if isinstance(answer, Iterator) else answer)


@contextmanager
def internet_of(monkeypatch: pytest.MonkeyPatch) -> Iterator[Internet]:
    internet = Internet()
    socket_connect, getpeername = socket.socket.connect, socket.socket.getpeername

    def routed_connect(sock: socket.socket, address: tuple[str, int]) -> None:
        place = address[:2]
        internet.dialled.append(place)
        if place not in internet.routes and place[0] not in ("127.0.0.1", "::1"):
            raise OSError(errno.ENETUNREACH, "not in this Internet")
        socket_connect(sock, internet.routes.get(place, place))

    def routed_getpeername(sock: socket.socket) -> object:
        peer = getpeername(sock)
        back = {local: public for public, local in internet.routes.items()}
        return back.get(peer[:2], peer)

    with monkeypatch.context() as patch:
        patch.setattr(socket.socket, "connect", routed_connect)
        patch.setattr(socket.socket, "getpeername", routed_getpeername)
        patch.setattr(connect, "resolve", internet.resolve)
        yield internet
