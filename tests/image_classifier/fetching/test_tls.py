"""Certificates and host names are verified."""

from __future__ import annotations

import socket

import pytest
import trustme

from image_classifier.errors import FetchFailed
from image_classifier.fetching import connect
from image_classifier.fetching.fetch import fetch
from tests.support.fetch_policies import PUBLIC, STRICT
from tests.support.fetch_servers import Internet, Server, TlsServer, ok


def test_https_with_a_trusted_certificate_is_fetched(
    trusted: trustme.CA, internet: Internet
) -> None:
    body = bytes(range(250)) * 300
    with TlsServer(trusted, "public.example", ok(body)) as server:
        internet.publish(server, PUBLIC, 443)

        assert fetch("https://public.example/", STRICT) == body

    assert b"Host: public.example\r\n" in server.requests[0]


@pytest.mark.parametrize("name", ["other.example", PUBLIC, "*.public.example"])
def test_certificate_of_another_name_is_refused(
    name: str, trusted: trustme.CA, internet: Internet
) -> None:
    with TlsServer(trusted, name, ok()) as server:
        internet.publish(server, PUBLIC, 443)
        with pytest.raises(FetchFailed, match="certificate is not to be trusted"):
            fetch("https://public.example/", STRICT)

    assert server.requests == []


def test_certificate_of_an_unknown_authority_is_refused(
    authority: trustme.CA, internet: Internet
) -> None:
    connect.tls_context.cache_clear()
    with TlsServer(authority, "public.example", ok()) as server:
        internet.publish(server, PUBLIC, 443)
        with pytest.raises(FetchFailed, match="certificate is not to be trusted"):
            fetch("https://public.example/", STRICT)

    assert server.requests == []


def test_server_without_tls_is_told_apart(internet: Internet) -> None:
    def plain(sock: socket.socket) -> socket.socket:
        sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        return sock

    with Server(wrap=plain) as server:
        internet.publish(server, PUBLIC, 443)
        with pytest.raises(FetchFailed, match="TLS"):
            fetch("https://public.example/", STRICT)
