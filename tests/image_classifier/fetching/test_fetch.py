"""fetch against real sockets: the image that it brings, and the request that it sends."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from image_classifier.errors import FetchFailed
from image_classifier.fetching.fetch import fetch
from tests.support.fetch_policies import OPEN, OTHER_PUBLIC, PUBLIC, STRICT, fetch_answer
from tests.support.fetch_servers import HAS_IPV6, Internet, Server, Trap, http, ok


def test_image_comes_from_a_public_address(internet: Internet) -> None:
    with Server(ok(b"\x89PNG")) as server:
        internet.publish(server, PUBLIC)

        assert fetch("http://public.example/cat.png", STRICT) == b"\x89PNG"

    assert internet.asked == ["public.example"]
    assert internet.dialled == [(PUBLIC, 80)]


def test_request_is_plain_and_honest() -> None:
    with Server(ok()) as server:
        fetch(f"{server.url}/a b/ü?sig=1%2B2&x=100%#part", OPEN)
        line, *headers = server.requests[0].decode().strip().split("\r\n")

    assert line == "GET /a%20b/%C3%BC?sig=1%2B2&x=100%25 HTTP/1.1"
    assert dict(header.split(": ") for header in headers) == {
        "Host": f"127.0.0.1:{server.port}",
        "User-Agent": "image-classifier-functions",
        "Accept": "image/*",
        "Accept-Encoding": "identity",
        "Connection": "close",
    }


def test_environment_proxy_and_netrc_are_not_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, internet: Internet, untouched: Trap
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{untouched.port}")
        monkeypatch.setenv(name.upper(), f"http://127.0.0.1:{untouched.port}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\ndefault login me password x\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".netrc").write_bytes(netrc.read_bytes())
    (tmp_path / ".netrc").chmod(0o600)

    with Server(ok()) as server:
        fetch(server.url, OPEN)

    assert b"authorization" not in server.requests[0].lower()


def test_cookies_are_not_kept(internet: Internet) -> None:
    cookie = "Set-Cookie: id=1; Path=/; Domain=public.example"
    with Server(http("302 Found", "Location: /next", cookie)) as server:
        internet.publish(server, PUBLIC)
        for _ in range(2):
            with pytest.raises(FetchFailed, match="more than 3"):
                fetch("http://public.example/", STRICT)

    assert len(server.requests) == 8
    assert not [head for head in server.requests if b"cookie" in head.lower()]


def test_type_that_the_server_names_is_not_asked() -> None:
    assert fetch_answer(ok(b"image", "Content-Type: text/html")) == b"image"


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_name_with_several_addresses_is_tried_at_all_of_them(host: str, internet: Internet) -> None:
    if ":" in host and not HAS_IPV6:
        pytest.skip("this machine has no IPv6")
    internet.names["localhost"] = ["::1", "127.0.0.1"] if "." in host else ["127.0.0.1", "::1"]
    with Server(ok(), host=host) as server:
        assert fetch(f"http://localhost:{server.port}/", OPEN) == b"image"

    assert len(internet.dialled) == 2


def test_localhost_is_found_with_the_systems_own_resolver() -> None:
    with Server(ok()) as server:
        assert fetch(f"http://localhost:{server.port}/", OPEN) == b"image"


def test_ipv6_address_can_be_fetched(internet: Internet) -> None:
    if not HAS_IPV6:
        pytest.skip("this machine has no IPv6")
    with Server(ok(), host="::1") as server:
        internet.publish(server, "2606:2800:220:1::1")

        assert fetch("http://[2606:2800:220:1::1]/", STRICT) == b"image"

    assert b"Host: [2606:2800:220:1::1]\r\n" in server.requests[0]


def test_only_the_first_of_two_addresses_that_can_be_reached_is_dialled(
    internet: Internet,
) -> None:
    internet.names["two.example"] = [PUBLIC, OTHER_PUBLIC]
    with Server(ok()) as first, Server(ok(b"another")) as second:
        internet.publish(first, PUBLIC)
        internet.publish(second, OTHER_PUBLIC)
        assert fetch("http://two.example/cat.png", STRICT) == b"image"

    assert internet.dialled == [(PUBLIC, 80)]
    assert second.connections == 0


def test_no_more_than_eight_addresses_are_tried(internet: Internet) -> None:
    internet.names["many.example"] = [f"93.184.215.{number}" for number in range(100)]

    with pytest.raises(FetchFailed):
        fetch("http://many.example/", STRICT)

    assert len(internet.dialled) == 8


def test_threads_can_fetch_at_the_same_time() -> None:
    found: list[bytes] = []

    def answer(sock: socket.socket) -> None:
        sock.sendall(ok(server.requests[-1].split()[1] * 100))

    with Server(answer) as server:
        threads = [
            threading.Thread(target=lambda n=n: found.append(fetch(f"{server.url}/{n}", OPEN)))
            for n in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert len(found) == 8
