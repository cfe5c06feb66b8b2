"""Downloads images from URLs that anybody may have written.

``urls.py`` decides which URLs are fetched, ``address_rules.py`` which addresses are connected to,
``connect.py`` opens the socket, and this module speaks HTTP over it and follows redirects, each of
which passes all of these checks again.

It builds on ``http.client``, the HTTP parser beneath requests and urllib3. Their additions must not
happen here: proxies from the environment, passwords from ``.netrc``, cookies, redirects without a
check, pools of open connections. And urllib3 logs a URL with its query when a response's headers
are odd. ``HTTPConnection.connect`` is the documented place to bring a socket of one's own.
"""

from __future__ import annotations

import logging
import socket
import ssl
import time
import zlib
from collections.abc import Iterator
from functools import partial
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse, IncompleteRead

from image_classifier.errors import (
    FetchBlocked,
    FetchFailed,
    FetchTimedOut,
    ImageTooLarge,
    InvalidRequest,
)
from image_classifier.fetching.address_rules import refusal
from image_classifier.fetching.connect import Limits, dial
from image_classifier.fetching.deadline import Clock, Deadline
from image_classifier.fetching.policy import FetchPolicy
from image_classifier.fetching.urls import Url, host_is_listed, join_url, parse_url

__all__ = ["MAX_REDIRECTS", "fetch"]

logger = logging.getLogger(__name__)

MAX_REDIRECTS = 3
_REDIRECTS = {301, 302, 303, 307, 308}
_CHUNK = 1 << 16
# Images gain nothing from a second compression, so none is asked for; some servers send it anyway.
_ENCODINGS = {"gzip": zlib.MAX_WBITS | 16, "x-gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}
_HEADERS = {
    "User-Agent": "image-classifier-functions",
    "Accept": "image/*",
    "Accept-Encoding": "identity",
    "Connection": "close",
}


def fetch(url: str, policy: FetchPolicy, *, clock: Clock = time.monotonic) -> bytes:
    """Downloads an image, whatever type the other server says it has.

    Args:
        url: an http or https URL, from anybody.
        policy: the rules.
        clock: measures the time; tests bring one of their own.

    Returns:
        The body of the response, decompressed, not empty.

    Raises:
        InvalidRequest: it is not a URL, or has no host.
        FetchBlocked: its scheme, port, host, address or credentials are refused, or those of a
            redirect, or a redirect leads from https to http.
        FetchFailed: the server cannot be found, reached or trusted, reported no success, sent
            nothing, or redirected too often.
        FetchTimedOut: it did not end within ``FETCH_TIMEOUT_SECONDS``, name look-up and redirects
            included.
        ImageTooLarge: the body has more bytes than ``MAX_IMAGE_BYTES``.
    """
    started = clock()
    deadline = Deadline(policy.timeout_seconds, clock)
    requested = target = parse_url(url)
    for _ in range(1 + MAX_REDIRECTS):
        limits = _check(target, policy, deadline)
        # Another server chose the target of a redirect: the app logs in only at the URL that its
        # own caller sent.
        login = _login(target, policy, deadline) if target is requested else {}
        try:
            result = _get(target, limits, login, policy)
        except (OSError, EOFError, HTTPException, ValueError, zlib.error) as exc:
            if isinstance(exc, TimeoutError) or deadline.remaining <= 0:
                raise FetchTimedOut(
                    f"{target} had not arrived after {policy.timeout_seconds:g} s "
                    "(FETCH_TIMEOUT_SECONDS). Try again later, or send the image itself."
                ) from exc
            reason, transient = _reason(exc)
            raise FetchFailed(
                f"{target} cannot be fetched: {reason}.", transient=transient
            ) from exc
        if isinstance(result, bytes):
            milliseconds = (clock() - started) * 1000
            logger.debug("fetched %s: %d bytes in %.1f ms", target, len(result), milliseconds)
            return result
        logger.debug("%s redirects to %s", target, result)
        target = result
    raise FetchFailed(
        f"{parse_url(url)} redirects more than {MAX_REDIRECTS} times. "
        "Use the URL that the image is really at."
    )


def _check(url: Url, policy: FetchPolicy, deadline: Deadline) -> Limits:
    """Applies the rules that need no look-up of a name; returns the bounds for what follows."""
    listed = host_is_listed(url, policy.allowed_hosts)
    if policy.allowed_hosts and not listed:
        raise FetchBlocked(
            f"{url.host} is not one of the hosts that this app fetches images from "
            "(FETCH_ALLOWED_HOSTS). Use one of them, or send the image itself."
        )
    ports, allow_private = policy.allowed_ports, policy.allow_private_addresses
    if url.port not in ports and not allow_private:
        raise FetchBlocked(
            f"{url} has the port {url.port}, which is not one that is fetched "
            f"(FETCH_ALLOWED_PORTS: {', '.join(map(str, sorted(ports)))}). "
            "Use another URL, or send the image itself."
        )
    rule = partial(refusal, allowed_ports=ports, host_is_listed=listed, allow_private=allow_private)
    return Limits(deadline, policy.max_bytes, rule)


def _login(url: Url, policy: FetchPolicy, deadline: Deadline) -> dict[str, str]:
    """Makes the headers that open a blob of the app's own; none for all other URLs."""
    if policy.own_blobs is None:
        return {}
    from image_classifier.fetching.managed_identity import blob_login  # few apps need it

    return blob_login(url, policy.own_blobs, deadline)


class _Connection(HTTPConnection):
    """A connection whose socket comes from ``dial`` and nowhere else."""

    def __init__(self, url: Url, limits: Limits) -> None:
        self.default_port = 443 if url.scheme == "https" else 80  # left out of the Host header
        super().__init__(url.host, url.port)
        self._url, self._limits = url, limits

    def connect(self) -> None:
        self.sock = dial(self._url, self._limits)


def _get(url: Url, limits: Limits, login: dict[str, str], policy: FetchPolicy) -> bytes | Url:
    """Sends one request; returns the body, or the URL that the server redirects to."""
    connection = _Connection(url, limits)
    try:
        connection.request("GET", url.target, headers=_HEADERS | login)
        with connection.getresponse() as response:
            if response.status in _REDIRECTS:
                return _next_url(url, response)
            if not 200 <= response.status < 300:
                raise _refused(url, response.status, policy, with_login=bool(login))
            return _body(url, response, limits)
    finally:
        connection.close()


def _refused(url: Url, status: int, policy: FetchPolicy, *, with_login: bool) -> FetchFailed:
    # The standard's phrase: the server could write anything into its own.
    phrase = HTTPStatus(status).phrase if status in list(HTTPStatus) else "unknown status"
    advice = {
        401: "It wants a login, which is never sent: use a URL that everybody can open.",
        403: "It may want a login, which is never sent: use a URL that everybody can open.",
        404: "Check the address.",
        410: "Check the address.",
    }.get(status, "Try again later, or send the image itself.")
    is_own_host = policy.own_blobs is not None and url.host == policy.own_blobs.host
    if with_login and status in (401, 403):
        advice = (
            "The app's managed identity may not read it: give it the role Storage Blob Data Reader."
        )
    elif is_own_host and not with_login and not url.query and status in (401, 403, 404, 409):
        advice = (
            "Check the address. The app's managed identity opens only blobs in the containers of "
            "FETCH_BLOB_CONTAINERS, by plain URLs that callers sent themselves."
        )
    return FetchFailed(f"{url} answered {status} {phrase}. {advice}", upstream_status=status)


def _next_url(url: Url, response: HTTPResponse) -> Url:
    location = response.headers["Location"]
    status = response.status
    if not location:
        raise FetchFailed(f"{url} answered {status} without a Location.", upstream_status=status)
    try:
        # http.client reads headers as Latin-1, servers write UTF-8.
        following = join_url(url, location.encode("latin-1").decode("utf-8", "replace"))
    except (InvalidRequest, UnicodeError) as exc:
        raise FetchFailed(
            f"{url} redirects to something that is not a URL.", upstream_status=status
        ) from exc
    except FetchBlocked as exc:
        raise FetchBlocked(f"{url} redirects to another URL. {exc.message}") from exc
    if url.scheme == "https" and following.scheme == "http":
        raise FetchBlocked(
            f"{url} redirects from https to http, where anybody could change the image. "
            "Use a URL that stays on https."
        )
    return following


def _body(url: Url, response: HTTPResponse, limits: Limits) -> bytes:
    announced = response.length
    if announced is not None and announced > limits.max_bytes:
        raise _too_large(url, limits, f"{announced} bytes")
    pieces = iter(lambda: response.read(_CHUNK), b"")
    encoding = (response.headers["Content-Encoding"] or "identity").strip().lower()
    if encoding in _ENCODINGS:
        pieces = _decompressed(pieces, _ENCODINGS[encoding])
    elif encoding != "identity":
        # Two of them, one inside the other, could multiply a bomb; brotli was not asked for.
        raise FetchFailed(f"{url} was sent in an encoding that was not asked for.")
    body, size = [], 0
    for piece in pieces:
        size += len(piece)
        if size > limits.max_bytes:
            raise _too_large(url, limits, "more")
        body.append(piece)
    if announced is not None and response.length and encoding == "identity":
        raise FetchFailed(
            f"{url} broke off after {size} of {announced} bytes. Try again later.", transient=True
        )
    if not size:
        raise FetchFailed(
            f"{url} answered {response.status} with an empty body. Check the address.",
            upstream_status=response.status,
        )
    return b"".join(body)


def _decompressed(pieces: Iterator[bytes], window_bits: int) -> Iterator[bytes]:
    """Decompresses gzip or deflate, one piece at a time."""
    decompressor = zlib.decompressobj(window_bits)
    for piece in pieces:
        while piece and not decompressor.eof:
            yield decompressor.decompress(piece, _CHUNK)
            piece = decompressor.unconsumed_tail
    while not decompressor.eof:  # output that is still inside when all input has been taken
        rest = decompressor.decompress(b"", _CHUNK)
        if not rest:
            raise EOFError("the compressed body ends too early")
        yield rest


def _too_large(url: Url, limits: Limits, size: str) -> ImageTooLarge:
    return ImageTooLarge(
        f"{url} has {size}; at most {limits.max_bytes} bytes are allowed (MAX_IMAGE_BYTES). "
        "Use a smaller image."
    )


def _reason(exc: Exception) -> tuple[str, bool]:
    """Names the fault in a sentence, and whether it is known to pass."""
    match exc:
        case socket.gaierror(errno=socket.EAI_AGAIN):
            return "its host cannot be looked up just now (DNS)", True
        case socket.gaierror():
            return "its host is not known (DNS)", False
        case ssl.SSLCertVerificationError():
            return f"its TLS certificate is not to be trusted ({exc.verify_message})", False
        case ssl.SSLEOFError() | ssl.SSLZeroReturnError():
            return "the other server broke off", True
        case ssl.SSLError():
            return "it does not speak TLS as it should", False
        case ConnectionRefusedError():
            return "nothing answers at its address and port", True
        case ConnectionError() | EOFError() | IncompleteRead():
            return "the other server broke off", True
        case zlib.error():
            return "its compressed body is damaged", False
        case OSError():
            return "the other server cannot be reached", True
    return "the other server's answer is not HTTP", False
