"""The deadline holds in whatever part of the download a server is slow."""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import replace

import pytest
import trustme

from image_classifier.errors import FetchTimedOut
from image_classifier.fetching import connect
from image_classifier.fetching.fetch import fetch
from tests.support.fetch_policies import HURRIED, OPEN, OTHER_PUBLIC, PUBLIC, STRICT
from tests.support.fetch_servers import (
    Internet,
    ManualClock,
    Server,
    TlsServer,
    drip,
    http,
    ok,
    silent,
)

# A part of a response: what comes before it at once, and the pieces that it comes in.
SLOW = {
    "status line": (b"HTTP/1.1 200 OK", b" "),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
    "interim answers": (b"", http("100 Continue")),
    "body": (ok(b"", length=999), b"x"),
    "body without length": (http("200 OK"), b"x"),
    "chunks": (http("200 OK", "Transfer-Encoding: chunked"), b"1\r\nx\r\n"),
    "one chunk's size": (http("200 OK", "Transfer-Encoding: chunked") + b"1;", b"x"),
    "redirect": (b"HTTP/1.1 302 Found\r\nLocation: /next\r\n", b"X: y\r\n"),
}


@pytest.mark.parametrize("part", SLOW)
def test_slow_server_is_cut_at_the_deadline(part: str) -> None:
    clock = ManualClock()
    start, piece = SLOW[part]
    with Server(drip(start, piece, clock)) as server:
        started = time.monotonic()
        with pytest.raises(FetchTimedOut, match=r" 5 s"):
            fetch(server.url, OPEN, clock=clock)
        took = time.monotonic() - started

    assert clock.now >= 5
    assert took < 2
    assert server.connections == 1


def test_silent_server_is_cut_at_the_deadline() -> None:
    with Server(silent) as server:
        started = time.monotonic()
        with pytest.raises(FetchTimedOut, match=r"0\.1 s"):
            fetch(server.url, HURRIED)
        took = time.monotonic() - started

    assert 0.05 < took < 2


def test_silent_name_server_is_cut_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(connect, "resolve", lambda host, port: [str(over.wait(5))])

    started = time.monotonic()
    with pytest.raises(FetchTimedOut):
        fetch("http://slow.example/", HURRIED)
    took = time.monotonic() - started

    over.set()
    assert took < 2


def test_address_that_never_answers_leaves_time_for_the_next(internet: Internet) -> None:
    # A listener with a full queue: more connections to it hang, as at a firewall that drops them.
    with socket.socket() as full, Server(ok(), host="127.0.0.1") as server:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        internet.names["two.example"] = [PUBLIC, OTHER_PUBLIC]
        internet.routes[PUBLIC, 80] = full.getsockname()
        internet.publish(server, OTHER_PUBLIC)

        assert fetch("http://two.example/", replace(STRICT, timeout_seconds=0.6)) == b"image"

        for filler in fillers:
            filler.close()


@pytest.mark.parametrize("part", ["headers", "body"])
def test_slow_tls_server_is_cut_at_the_deadline(
    part: str, trusted: trustme.CA, internet: Internet
) -> None:
    clock = ManualClock()
    start, piece = SLOW[part]
    with TlsServer(trusted, "public.example", drip(start, piece, clock)) as server:
        internet.publish(server, PUBLIC, 443)
        started = time.monotonic()
        with pytest.raises(FetchTimedOut):
            fetch("https://public.example/", STRICT, clock=clock)

    assert time.monotonic() - started < 2


def test_silent_tls_server_is_cut_at_the_deadline(trusted: trustme.CA, internet: Internet) -> None:
    connect.tls_context()  # reading the authorities must not take the time of the download
    with TlsServer(trusted, "public.example", silent) as server:
        internet.publish(server, PUBLIC, 443)
        started = time.monotonic()
        with pytest.raises(FetchTimedOut):
            fetch("https://public.example/", HURRIED)

    assert time.monotonic() - started < 2
    assert server.requests


def test_handshake_that_never_ends_is_cut_at_the_deadline(internet: Internet) -> None:
    connect.tls_context()
    with Server(silent) as server:
        internet.publish(server, PUBLIC, 443)
        started = time.monotonic()
        with pytest.raises(FetchTimedOut):
            fetch("https://public.example/", HURRIED)

    assert time.monotonic() - started < 2
    assert server.connections == 1
