r"""Parses URLs of images so narrowly that no two parsers could read them differently.

Attackers first try spellings that parsers read in several ways: ``http://2130706433/``,
``http://good.example\@evil.example/``, a full stop from another script. So a host is a plain name
in ASCII, four decimal numbers, or an IPv6 address in brackets, and everything else is rejected
rather than repaired. Paths and queries are harmless and are only percent-encoded.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import quote, urljoin

import idna

from image_classifier.errors import FetchBlocked, InvalidRequest
from image_classifier.fetching.address_rules import IPAddress

__all__ = ["Url", "host_is_listed", "join_url", "parse_url", "without_query"]

MAX_URL_LENGTH = 8192
_SHOWN_LENGTH = 200
_DEFAULT_PORTS = {"http": 80, "https": 443}

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+-]*):(?!\d+(?:/|$))")  # localhost:7071/ has no scheme
_AUTHORITY = re.compile(r"(?P<host>\[[^\[\]]*\]|[^:\[\]]*)(?::(?P<port>[0-9]{1,5}))?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_LOOKALIKE_SCRIPTS = {"ARMENIAN", "CHEROKEE", "COPTIC", "CYRILLIC", "GREEK", "LATIN"}


@dataclass(frozen=True)
class Url:
    """A URL that may be fetched, if its host's address is allowed.

    ``str()`` omits the query, which may hold a key, so a Url is safe to log and to show.

    Attributes:
        scheme: http or https.
        host: lower-case ASCII name, or the address in its one usual spelling, without brackets.
        port: the port, given or the scheme's own.
        path: percent-encoded, starts with a slash.
        query: percent-encoded, with its question mark, or empty.
        address: the host as an address, None if it is a name.
    """

    scheme: str
    host: str
    port: int
    path: str
    query: str
    address: IPAddress | None

    @property
    def target(self) -> str:
        """Path and query, as in the request line."""
        return self.path + self.query

    @property
    def full(self) -> str:
        """The complete URL with its query. Not for logs and messages."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.target}"

    def __str__(self) -> str:
        return without_query(self.full)

    def __repr__(self) -> str:
        return f"<Url {self}>"


def parse_url(text: str) -> Url:
    """Parses a URL.

    Spaces and other letters are percent-encoded in path and query, and rejected in the host. The
    fragment is dropped: servers never receive it.

    Raises:
        InvalidRequest: it is not a URL, or has no host.
        FetchBlocked: its scheme, its credentials or the spelling of its host are rejected.
    """
    if len(text) > MAX_URL_LENGTH:
        raise InvalidRequest(
            f"The image's URL is {len(text)} characters long; {MAX_URL_LENGTH} are allowed. "
            "Send the image itself instead."
        )
    if text != text.strip() or "\\" in text or _CONTROL.search(text):
        raise InvalidRequest(
            "The image's URL has a backslash, a control character or space around it. "
            "Remove it, or percent-encode it if it belongs to the path."
        )
    scheme, rest = _split_scheme(text)
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    path, mark, query = rest[len(authority) :].partition("#")[0].partition("?")
    if "@" in authority:
        raise FetchBlocked(
            "The image's URL has a user name or password in it, which is never sent. "
            "Use a URL that needs none, such as one with a signature, or send the image itself."
        )
    match = _AUTHORITY.fullmatch(authority)
    if not match or not match["host"] or int(match["port"] or 0) > 65535:
        raise InvalidRequest(
            "The image's URL has no host or a port that is not a number up to 65535. "
            "Write it as https://host/path."
        )
    host, address = _parse_host(match["host"].lower())
    port = int(match["port"]) if match["port"] else _DEFAULT_PORTS[scheme]
    return Url(scheme, host, port, _encode(path) or "/", mark + _encode(query), address)


def join_url(base: Url, location: str) -> Url:
    """Resolves the target of a redirect: a complete URL, or one relative to the redirecting URL.

    Raises:
        InvalidRequest: it is not a URL.
        FetchBlocked: as ``parse_url``.
    """
    if not _SCHEME.match(location):
        try:
            location = urljoin(base.full, location)
        except ValueError as exc:
            raise InvalidRequest("The location cannot be understood.") from exc
    return parse_url(location)


def without_query(text: str) -> str:
    """Makes a URL, parsed or not, safe to log and to show.

    User name, password, query and fragment are removed, also a query whose question mark is
    percent-encoded; characters that would disturb a log are replaced; long URLs are shortened.
    """
    # Shortened before matching: the text may have any length.
    head = re.split(r"[?#]|%3f|%23", text[:MAX_URL_LENGTH], maxsplit=1, flags=re.IGNORECASE)[0]
    match = re.match(r"([A-Za-z][A-Za-z0-9+.-]*:)?([/\\]*)([^/\\]*)", head)
    assert match is not None  # every part of the pattern may be empty
    scheme, slashes, authority = match[1] or "", match[2], match[3].rpartition("@")[2]
    shown = scheme + slashes + authority + head[match.end() :]
    if len(shown) > _SHOWN_LENGTH:
        shown = shown[:_SHOWN_LENGTH] + "…"
    return "".join(char if char.isprintable() else "�" for char in shown)


def host_is_listed(url: Url, hosts: Iterable[str]) -> bool:
    """Whether the host is one of ``FETCH_ALLOWED_HOSTS``.

    ``*.example.com`` stands for every name below example.com, not for example.com itself.
    """
    for entry in hosts:
        if entry.startswith("*."):
            if url.address is None and url.host.endswith(entry[1:]):
                return True
        elif entry == url.host:
            return True
        elif entry.startswith("[") and url.address is not None:
            try:
                if IPv6Address(entry.strip("[]")) == url.address:
                    return True
            except ValueError:
                continue
    return False


def _split_scheme(text: str) -> tuple[str, str]:
    match = _SCHEME.match(text)
    if match and match[1].lower() not in _DEFAULT_PORTS:
        scheme = match[1].lower()[:20]
        raise FetchBlocked(
            f"The image's URL has the scheme {scheme}; only http and https are fetched. "
            "Use an http or https URL, or send the image itself."
        )
    if not match or not text.startswith("//", match.end()):
        raise InvalidRequest(
            "The image's URL is not a whole URL: it must start with https:// or http:// "
            "and a host, such as https://example.com/cat.png."
        )
    return match[1].lower(), text[match.end() + 2 :]


def _parse_host(host: str) -> tuple[str, IPAddress | None]:
    if host.startswith("["):
        try:
            if "%" in host:  # a zone, as in [fe80::1%eth0], names an interface of this machine
                raise ValueError("zone")
            address = IPv6Address(host[1:-1])
        except ValueError:
            raise _bad_host("is not a plain IPv6 address", "as in [2001:db8::1]") from None
        return str(address), address
    if not host.isascii():
        raise _bad_host("has characters outside ASCII", "in its ASCII form, which has xn-- in it")
    labels = host.split(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        # Also catches a trailing dot, percent signs, spaces and other delimiters.
        raise _bad_host("is not a plain name", "with letters, digits and hyphens, as in a.example")
    if _NUMBER.fullmatch(labels[-1]):
        # inet_aton() reads 127.1, 0177.0.0.1, 0x7f000001 and 2130706433 as addresses too.
        try:
            return host, IPv4Address(host)
        except ValueError:
            raise _bad_host("is an oddly written number", "as four decimal numbers") from None
    for label in labels:
        if label.startswith("xn--"):
            _check_international(label)
    return host, None


def _check_international(label: str) -> None:
    """Rejects labels that no registry grants: bad Punycode, and scripts mixed to deceive."""
    try:
        text = idna.decode(label)
    except UnicodeError:
        raise _bad_host("has a part that is not a valid international name", "correctly") from None
    scripts = {unicodedata.name(char, "").partition(" ")[0] for char in text}
    if len(scripts & _LOOKALIKE_SCRIPTS) > 1:
        raise _bad_host("mixes letters of several scripts", "with letters of one script")


def _bad_host(what: str, instead: str) -> FetchBlocked:
    return FetchBlocked(f"The host of the image's URL {what}. Write it {instead}.")


def _encode(text: str) -> str:
    # A percent sign that starts no escape is encoded; escapes stay as they are.
    return quote(_STRAY_PERCENT.sub("%25", text), safe="%/:@!$&'()*+,;=?[]~-._")
