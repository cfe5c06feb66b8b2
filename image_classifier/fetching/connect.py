"""The only place where a socket to another server is opened, and what guards it.

The name is looked up once; every address that comes back is judged (``addresses.py``); only those
that pass are connected to, as they are, so that a name server that answers differently the second
time (DNS rebinding) is never asked a second time. Who is at the other end is checked once more when
the connection stands.

From then on the socket itself keeps the time and counts the bytes: before every read it gives the
system only the time that is left. So it makes no difference in which part of an answer a server
dawdles, nor in which part it never ends. This needs no watchdog thread.
"""

from __future__ import annotations

import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_address
from typing import TYPE_CHECKING

import certifi

from image_classifier.errors import FetchBlocked, ImageTooLarge
from image_classifier.fetching.address_rules import IPAddress
from image_classifier.fetching.urls import Url

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

__all__ = ["Limits", "dial", "resolve", "tls_context"]

# More addresses than this are not tried: a name with thousands must not make us knock at each.
MAX_ADDRESSES = 8
# What may come over the wire beyond the image itself: headers, and the sizes of many small chunks.
WIRE_MARGIN = 1 << 20

Resolver = Callable[[str, int], list[str]]


@dataclass(frozen=True)
class Limits:
    """What one download may do.

    Attributes:
        deadline: when it must have ended, as ``time.monotonic()`` counts.
        max_bytes: the most bytes that an image may have.
        refusal: says why an address and port may not be connected to, or None.
    """

    deadline: float
    max_bytes: int
    refusal: Callable[[IPAddress, int], str | None]

    def seconds_left(self) -> float:
        """The time left.

        Raises:
            TimeoutError: there is none.
        """
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time for the download is over")
        return left


def _system_resolver(host: str, port: int) -> list[str]:
    # As bytes the name goes out as it is; as str, Python would apply its own IDNA rules first.
    found = socket.getaddrinfo(host.encode("ascii"), port, type=socket.SOCK_STREAM)
    return [str(sockaddr[0]) for *_, sockaddr in found]


#: Turns a name into addresses. A seam: tests put a name server of their own here.
resolve: Resolver = _system_resolver


@cache
def tls_context() -> ssl.SSLContext:
    """The one TLS context: certificates and host names are verified; made when first needed.

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
        OSError: it cannot be found or reached, or its certificate is not to be trusted.
        TimeoutError: the time is over.
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
            sock = _connect(url, address, limits, limits.seconds_left() / tries_left)
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
        answer = answers.get(timeout=limits.seconds_left())
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
    """A socket that reads no longer and no more than a download may."""

    _limits: Limits | None = None
    _bytes_left = 0

    def guard(self, limits: Limits) -> None:
        self._limits = limits
        # Twice: an image in many tiny chunks is odd, but not an attack.
        self._bytes_left = 2 * limits.max_bytes + WIRE_MARGIN
        self._take_time_left()

    def _take_time_left(self) -> Limits:
        if self._limits is None:
            raise OSError("a socket is used before it has its limits")
        self.settimeout(self._limits.seconds_left())
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
