"""URL -> bytes, safely: the URL may come from anybody.

``urls.py`` says which URLs may be asked for, ``addresses.py`` which addresses may be connected to,
``connect.py`` opens the socket, and this module speaks HTTP over it and follows redirects, each of
which goes through all of that again.

It stands on ``http.client``, which is the HTTP parser beneath requests and urllib3 too. What those
add is what must not happen here: proxies from the environment, passwords from ``.netrc``, cookies,
redirects that are followed without asking, pools of open connections. And urllib3 logs a URL with
its query when an answer's headers are odd. ``HTTPConnection.connect`` is the documented place to
bring a socket of one's own.
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
from image_classifier.fetching.urls import Url, host_is_listed, join_url, parse_url
from image_classifier.settings import Settings

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


def fetch(url: str, settings: Settings) -> bytes:
    """Downloads an image, whatever type the other server says it has.

    Args:
        url: an http or https URL, from anybody.
        settings: its ``fetch_`` fields and ``max_image_bytes`` are the rules.

    Returns:
        The body of the answer, decompressed, not empty.

    Raises:
        InvalidRequest: it is not a URL, or has no host.
        FetchBlocked: its scheme, port, host, address or credentials are refused, or those of a
            redirect, or a redirect leads from https to http.
        FetchFailed: the server cannot be found or reached, is not to be trusted, answered anything
            but success, or sent nothing, or redirected too often.
        FetchTimedOut: it did not end within ``FETCH_TIMEOUT_SECONDS``, name look-up and redirects
            included.
        ImageTooLarge: the body has more bytes than ``MAX_IMAGE_BYTES``.
    """
    started = time.monotonic()
    deadline = started + settings.fetch_timeout_seconds
    named = target = parse_url(url)
    for _ in range(1 + MAX_REDIRECTS):
        limits = _check(target, settings, deadline)
        # A redirect is another server's word: the app shows itself only where the caller sent it.
        login = _login(target, settings, deadline) if target is named else {}
        try:
            answer = _get(target, limits, login, settings)
        except (OSError, EOFError, HTTPException, ValueError, zlib.error) as exc:
            if isinstance(exc, TimeoutError) or time.monotonic() >= deadline:
                raise FetchTimedOut(
                    f"{target} had not arrived after {settings.fetch_timeout_seconds:g} s "
                    "(FETCH_TIMEOUT_SECONDS). Try again later, or send the image itself."
                ) from exc
            words, transient = _in_words(exc)
            raise FetchFailed(f"{target} cannot be fetched: {words}.", transient=transient) from exc
        if isinstance(answer, bytes):
            took = (time.monotonic() - started) * 1000
            logger.debug("fetched %s: %d bytes in %.1f ms", target, len(answer), took)
            return answer
        logger.debug("%s redirects to %s", target, answer)
        target = answer
    raise FetchFailed(
        f"{parse_url(url)} redirects more than {MAX_REDIRECTS} times. "
        "Use the URL that the image is really at."
    )


def _check(url: Url, settings: Settings, deadline: float) -> Limits:
    """Refuses what can be refused before a name is looked up; the limits are for what cannot."""
    listed = host_is_listed(url, settings.fetch_allowed_hosts)
    if settings.fetch_allowed_hosts and not listed:
        raise FetchBlocked(
            f"{url.host} is not one of the hosts that this app fetches images from "
            "(FETCH_ALLOWED_HOSTS). Use one of them, or send the image itself."
        )
    ports = settings.fetch_allowed_ports
    lifted = settings.fetch_allow_private_addresses
    if url.port not in ports and not lifted:
        raise FetchBlocked(
            f"{url} has the port {url.port}, which is not one that is fetched "
            f"(FETCH_ALLOWED_PORTS: {', '.join(map(str, sorted(ports)))}). "
            "Use another URL, or send the image itself."
        )
    rule = partial(refusal, allowed_ports=ports, host_is_listed=listed, allow_private=lifted)
    return Limits(deadline, settings.max_image_bytes, rule)


def _login(url: Url, settings: Settings, deadline: float) -> dict[str, str]:
    """What opens blobs of the app's own; nothing for all other URLs, and when it is off."""
    if settings.own_blobs is None:
        return {}
    from image_classifier.fetching.managed_identity import blob_login  # few apps need it

    return blob_login(url, settings.own_blobs, deadline)


class _Connection(HTTPConnection):
    """A connection whose socket comes from ``dial`` and nowhere else."""

    def __init__(self, url: Url, limits: Limits) -> None:
        self.default_port = 443 if url.scheme == "https" else 80  # left out of the Host header
        super().__init__(url.host, url.port)
        self._url, self._limits = url, limits

    def connect(self) -> None:
        self.sock = dial(self._url, self._limits)


def _get(url: Url, limits: Limits, login: dict[str, str], settings: Settings) -> bytes | Url:
    """Asks once; returns the body, or where to ask instead."""
    connection = _Connection(url, limits)
    try:
        connection.request("GET", url.target, headers=_HEADERS | login)
        with connection.getresponse() as response:
            if response.status in _REDIRECTS:
                return _next_url(url, response)
            if not 200 <= response.status < 300:
                raise _refused(url, response.status, settings, with_login=bool(login))
            return _body(url, response, limits)
    finally:
        connection.close()


def _refused(url: Url, status: int, settings: Settings, *, with_login: bool) -> FetchFailed:
    # The phrase is not the server's own: it could write anything there.
    phrase = HTTPStatus(status).phrase if status in list(HTTPStatus) else "unknown status"
    advice = {
        401: "It wants a login, which is never sent: use a URL that everybody can open.",
        403: "It may want a login, which is never sent: use a URL that everybody can open.",
        404: "Check the address.",
        410: "Check the address.",
    }.get(status, "Try again later, or send the image itself.")
    own = settings.own_blobs
    is_own = own is not None and url.host == own.host
    if with_login and status in (401, 403):
        advice = (
            "The app's managed identity may not read it: give it the role Storage Blob Data Reader."
        )
    elif is_own and not with_login and not url.query and status in (401, 403, 404, 409):
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
    """Undoes gzip or deflate, never holding more than one piece decompressed."""
    decompressor = zlib.decompressobj(window_bits)
    for piece in pieces:
        while piece and not decompressor.eof:
            yield decompressor.decompress(piece, _CHUNK)
            piece = decompressor.unconsumed_tail
    while not decompressor.eof:  # what is still inside when all input has been taken
        rest = decompressor.decompress(b"", _CHUNK)
        if not rest:
            raise EOFError("the compressed body ends too early")
        yield rest


def _too_large(url: Url, limits: Limits, size: str) -> ImageTooLarge:
    return ImageTooLarge(
        f"{url} has {size}; at most {limits.max_bytes} bytes are allowed (MAX_IMAGE_BYTES). "
        "Use a smaller image."
    )


def _in_words(exc: Exception) -> tuple[str, bool]:
    """What went wrong, and whether that is known to pass."""
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
