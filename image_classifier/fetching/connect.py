"""Opens sockets to other servers, the only module that does, and bounds their time and bytes.

The name is looked up once; every address of the answer is checked (``address_rules.py``); the
socket connects to one that passed, as an address, so that a name server that answers differently
the second time (DNS rebinding) is never asked a second time. The address at the other end is
checked once more when the connection stands.

From then on the socket itself keeps the time and counts the bytes: before every read it gives the
system only the time that is left. So it makes no difference in which part of a response a server
is slow, nor in which part it never ends. This needs no watchdog thread.
"""

from __future__ import annotations

import queue
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_address
from typing import TYPE_CHECKING

import certifi

from image_classifier.errors import FetchBlocked, ImageTooLarge
from image_classifier.fetching.address_rules import IPAddress
from image_classifier.fetching.deadline import Deadline
from image_classifier.fetching.urls import Url

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

__all__ = ["Limits", "dial", "resolve", "tls_context"]

# No more addresses are tried: a name with thousands must not make the app dial each.
MAX_ADDRESSES = 8
# Bytes on the wire beyond the image itself: headers, and the sizes of many small chunks.
WIRE_MARGIN = 1 << 20

Resolver = Callable[[str, int], list[str]]


@dataclass(frozen=True)
class Limits:
    """The bounds of one download.

    Attributes:
        deadline: the end of the download.
        max_bytes: the most bytes that an image may have.
        refusal: gives the reason why an address and port may not be connected to, or None.
    """

    deadline: Deadline
    max_bytes: int
    refusal: Callable[[IPAddress, int], str | None]


def _system_resolver(host: str, port: int) -> list[str]:
    # As bytes the name goes out as it is; as str, Python would apply its own IDNA rules first.
    matches = socket.getaddrinfo(host.encode("ascii"), port, type=socket.SOCK_STREAM)
    return [str(sockaddr[0]) for *_, sockaddr in matches]


#: Turns a name into addresses. A seam: tests put a name server of their own here.
resolve: Resolver = _system_resolver


@cache
def tls_context() -> ssl.SSLContext:
    """Makes the one TLS context, which verifies certificates and host names.

    It trusts the system's authorities (and ``SSL_CERT_FILE``, which companies set), and certifi's,
    because some systems come without any.
    """
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    context.sslsocket_class = _TlsSocket
    return context


def dial(url: Url, limits: Limits) -> socket.socket:
    """Connects to the server of a URL, with TLS for https.

    Raises:
        FetchBlocked: none of its addresses may be connected to.
        OSError: it cannot be found or reached, or its certificate is not trusted.
        TimeoutError: the deadline has passed.
    """
    addresses = [url.address] if url.address else _look_up(url, limits)
    refusals = [(address, limits.refusal(address, url.port)) for address in addresses]
    allowed = [address for address, reason in refusals if reason is None][:MAX_ADDRESSES]
    if not allowed:
        raise _blocked(url, next((why for _, why in refusals if why), "its host has no address"))
    # Made before the clock of a connection starts: the first one reads hundreds of certificates.
    context = tls_context() if url.scheme == "https" else None
    for tries_left, address in zip(range(len(allowed), 0, -1), allowed, strict=True):
        try:
            sock = _connect(url, address, limits, limits.deadline.seconds_left() / tries_left)
            break
        except OSError:
            if tries_left == 1:
                raise
    if context is None:
        return sock
    try:
        # The handshake as a whole has the socket's timeout, which is the time left. The context
        # makes the socket that it returns, so that one learns its limits a moment later.
        tls = context.wrap_socket(sock, server_hostname=url.host)
    except BaseException:
        sock.close()
        raise
    assert isinstance(tls, _TlsSocket)
    tls.guard(limits)
    return tls


def _look_up(url: Url, limits: Limits) -> list[IPAddress]:
    """Resolves the name, on a thread of its own because the system's resolver cannot be timed."""
    answers: queue.SimpleQueue[list[str] | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(resolve(url.host, url.port))
        except Exception as exc:
            answers.put(exc)

    threading.Thread(target=ask, name="look up a host name", daemon=True).start()
    try:
        answer = answers.get(timeout=limits.deadline.seconds_left())
    except queue.Empty:
        raise TimeoutError("the name server did not answer") from None
    if isinstance(answer, Exception):
        raise answer
    return [ip_address(text) for text in dict.fromkeys(answer)]


def _connect(url: Url, address: IPAddress, limits: Limits, timeout: float) -> _PlainSocket:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    sock = _PlainSocket(family, socket.SOCK_STREAM)
    try:
        sock.settimeout(timeout)
        sock.connect((str(address), url.port))
        peer, port, *_ = sock.getpeername()
        reason = limits.refusal(ip_address(peer), port)
        if reason:
            raise _blocked(url, reason)
        sock.guard(limits)
    except BaseException:
        sock.close()
        raise
    return sock


def _blocked(url: Url, reason: str) -> FetchBlocked:
    return FetchBlocked(f"{url} is not fetched: {reason}.")


class _Guarded(socket.socket):
    """A socket that keeps to the time and the bytes of a download."""

    _limits: Limits | None = None
    _bytes_left = 0

    def guard(self, limits: Limits) -> None:
        self._limits = limits
        # Twice: an image in many tiny chunks is unusual, but not an attack.
        self._bytes_left = 2 * limits.max_bytes + WIRE_MARGIN
        self._take_time_left()

    def _take_time_left(self) -> Limits:
        if self._limits is None:
            raise OSError("a socket is used before it has its limits")
        self.settimeout(self._limits.deadline.seconds_left())
        return self._limits

    def recv_into(self, buffer: WriteableBuffer, nbytes: int | None = None, flags: int = 0) -> int:
        """Every read of http.client ends here, by way of ``makefile``."""
        limits = self._take_time_left()
        count = super().recv_into(buffer, nbytes or memoryview(buffer).nbytes, flags)
        self._bytes_left -= count
        if self._bytes_left < 0:
            raise ImageTooLarge(
                f"The other server sends more than the {limits.max_bytes} bytes that an image may "
                "have (MAX_IMAGE_BYTES). Use a smaller image."
            )
        return count

    def send(self, data: ReadableBuffer, flags: int = 0) -> int:
        self._take_time_left()
        return super().send(data, flags)

    def sendall(self, data: ReadableBuffer, flags: int = 0) -> None:
        self._take_time_left()
        super().sendall(data, flags)


class _PlainSocket(_Guarded):
    pass


class _TlsSocket(_Guarded, ssl.SSLSocket):
    pass
