"""The size limit holds in whatever part of the download a server never ends."""

from __future__ import annotations

import socket
import time
import tracemalloc

import pytest
import trustme

from image_classifier.errors import ImageTooLarge
from image_classifier.fetching.fetch import fetch
from tests.support.fetch_policies import LIMIT, PUBLIC, STRICT, fetch_answer
from tests.support.fetch_servers import Answer, Internet, TlsServer, endless, http, ok, silent


def test_image_of_exactly_the_limit_is_fetched() -> None:
    body = bytes(range(250)) * (LIMIT // 250)

    assert fetch_answer(ok(body)) == body
    assert fetch_answer(http("200 OK", body=body)) == body


def test_length_over_the_limit_is_refused_before_anything_is_read() -> None:
    def announce(sock: socket.socket) -> None:
        sock.sendall(ok(b"", length=LIMIT + 1))
        silent(sock)  # who wants to read now waits for the deadline

    started = time.monotonic()
    with pytest.raises(ImageTooLarge, match=f"{LIMIT + 1} bytes; at most {LIMIT}"):
        fetch_answer(announce)

    assert time.monotonic() - started < 2


CHUNKED = http("200 OK", "Transfer-Encoding: chunked")


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(http("200 OK", body=b"x" * (LIMIT + 1)), id="one byte more, no length"),
        pytest.param(endless(http("200 OK"), b"x" * 65536), id="endless body"),
        pytest.param(endless(http("200 OK", "Content-Length: -1"), b"x" * 65536), id="negative"),
        pytest.param(endless(http("200 OK", "Content-Length: 1, 2"), b"x" * 65536), id="two"),
        pytest.param(endless(CHUNKED, b"1000\r\n" + b"x" * 0x1000 + b"\r\n"), id="endless chunks"),
        pytest.param(endless(CHUNKED + b"-1\r\n", b"x" * 65536), id="negative chunk"),
        pytest.param(endless(CHUNKED, b"1;" + b"x" * 60_000 + b"\r\nx\r\n"), id="chunk extensions"),
        pytest.param(
            endless(CHUNKED + b"1\r\nx\r\n0\r\n", b"X: " + b"y" * 60_000 + b"\r\n"), id="trailers"
        ),
        pytest.param(
            endless(b"", http("100 Continue", "X: " + "y" * 60_000)), id="interim answers"
        ),
    ],
)
def test_server_without_an_end_is_cut_at_the_limit(answer: Answer) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(ImageTooLarge):
            fetch_answer(answer)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 4_000_000


def test_length_that_is_too_small_makes_no_difference() -> None:
    answer = endless(ok(b"", length=10), b"0123456789")

    assert fetch_answer(answer) == b"0123456789"


def test_endless_tls_server_is_cut_at_the_limit(trusted: trustme.CA, internet: Internet) -> None:
    endless_answer = endless(CHUNKED, b"1;" + b"x" * 60_000 + b"\r\nx\r\n")
    with TlsServer(trusted, "public.example", endless_answer) as server:
        internet.publish(server, PUBLIC, 443)
        with pytest.raises(ImageTooLarge):
            fetch("https://public.example/", STRICT)
