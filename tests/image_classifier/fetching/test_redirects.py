"""Redirects: which are followed, how often, and with what left of the time."""

from __future__ import annotations

import socket

import pytest
import trustme

from image_classifier.errors import FetchBlocked, FetchFailed, FetchTimedOut
from image_classifier.fetching.fetch import fetch
from tests.support.fetch_policies import OPEN, OTHER_PUBLIC, PUBLIC, STRICT, fetch_answer
from tests.support.fetch_servers import (
    Answer,
    Internet,
    ManualClock,
    Server,
    TlsServer,
    Trap,
    http,
    ok,
)


def chain(*locations: str) -> Answer:
    """Answers the nth request with the nth redirect, and then with the image."""
    answers = iter([*(http("302 Found", f"Location: {where}") for where in locations), ok()])
    return lambda sock: sock.sendall(next(answers))


@pytest.mark.parametrize("status", ["301", "302", "303", "307", "308"])
def test_redirect_is_followed(status: str, internet: Internet) -> None:
    location = "Location: http://other.example/dog.png?x=1#y"
    with Server(http(f"{status} Go", location)) as first, Server(ok()) as second:
        internet.publish(first, PUBLIC)
        internet.publish(second, OTHER_PUBLIC)
        assert fetch("http://public.example/cat.png", STRICT) == b"image"

    assert second.requests[0].startswith(b"GET /dog.png?x=1 HTTP/1.1\r\nHost: other.example\r\n")
    assert b"Referer" not in second.requests[0]


def test_relative_redirects_are_followed_three_times() -> None:
    with Server(chain("../b?q=1", "c", "/d/ü")) as server:
        assert fetch(f"{server.url}/x/a", OPEN) == b"image"

    lines = [head.split(b"\r\n")[0].split()[1] for head in server.requests]
    assert lines == [b"/x/a", b"/b?q=1", b"/c", b"/d/%C3%BC"]


def test_fourth_redirect_is_not_followed() -> None:
    with Server(chain("b", "c", "d", "e")) as server:
        with pytest.raises(FetchFailed, match="more than 3 times"):
            fetch(f"{server.url}/a", OPEN)
        assert server.connections == 4


def test_redirect_that_opens_in_development_still_stops_at_metadata(internet: Internet) -> None:
    with Server(chain("/again", "http://169.254.169.254/latest/")) as server:
        with pytest.raises(FetchBlocked, match="metadata"):
            fetch(server.url, OPEN)
        assert len(internet.dialled) == 2


@pytest.mark.parametrize("headers", [[], ["Location: "], ["Location: http://[/"]])
def test_redirect_to_nowhere_fails(headers: list[str]) -> None:
    with pytest.raises(FetchFailed) as caught:
        fetch_answer(http("302 Found", *headers))

    assert caught.value.upstream_status == 302


def test_redirects_share_one_deadline() -> None:
    clock = ManualClock()

    def late(sock: socket.socket) -> None:
        clock.advance(3)  # in time once, not twice
        sock.sendall(http("302 Found", "Location: /next"))

    with Server(late) as server:
        with pytest.raises(FetchTimedOut):
            fetch(server.url, OPEN, clock=clock)
        assert server.connections == 2


def test_redirect_from_https_to_http_is_refused(
    trusted: trustme.CA, internet: Internet, untouched: Trap
) -> None:
    answer = http("302 Found", "Location: http://other.example/")
    with TlsServer(trusted, "public.example", answer) as server:
        internet.publish(server, PUBLIC, 443)
        with pytest.raises(FetchBlocked, match="from https to http"):
            fetch("https://public.example/", STRICT)

    assert internet.asked == ["public.example"]


def test_redirect_from_http_to_https_is_followed(trusted: trustme.CA, internet: Internet) -> None:
    with (
        Server(http("301 Moved", "Location: https://public.example/")) as plain,
        TlsServer(trusted, "public.example", ok()) as secure,
    ):
        internet.publish(plain, PUBLIC, 80)
        internet.publish(secure, PUBLIC, 443)

        assert fetch("http://public.example/", STRICT) == b"image"
