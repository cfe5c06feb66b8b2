"""fetch against real sockets: what it brings, and all that it must not do."""

from __future__ import annotations

import gzip
import itertools
import logging
import socket
import threading
import time
import tracemalloc
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from image_classifier.errors import (
    ClassifierError,
    FetchBlocked,
    FetchFailed,
    FetchTimedOut,
    ImageTooLarge,
    InvalidRequest,
)
from image_classifier.fetching import connect
from image_classifier.fetching.fetch import fetch
from image_classifier.settings import Settings
from tests.support.fetch_servers import (
    HAS_IPV6,
    Answer,
    Internet,
    Server,
    TlsServer,
    Trap,
    drip,
    endless,
    http,
    internet_of,
    ok,
    silent,
)
from tests.support.hostile_urls import HOSTILE, NAMES, Hostile

PUBLIC = "93.184.215.14"
OTHER_PUBLIC = "93.184.215.15"
LIMIT = 100_000


def settings_of(**environ: str) -> Settings:
    return Settings.from_environ(
        {"MAX_IMAGE_BYTES": str(LIMIT), "FETCH_TIMEOUT_SECONDS": "5"} | environ
    )


def in_development(**environ: str) -> Settings:
    return settings_of(
        AZURE_FUNCTIONS_ENVIRONMENT="Development",
        FETCH_ALLOW_PRIVATE_ADDRESSES="true",
        **environ,
    )


STRICT = settings_of()
OPEN = in_development()
HURRIED = in_development(FETCH_TIMEOUT_SECONDS="0.2")


@pytest.fixture
def internet(monkeypatch: pytest.MonkeyPatch) -> Iterator[Internet]:
    with internet_of(monkeypatch) as internet:
        internet.names["public.example"] = [PUBLIC]
        internet.names["other.example"] = [OTHER_PUBLIC]
        yield internet


@pytest.fixture(scope="module")
def trap() -> Iterator[Trap]:
    trap = Trap()
    yield trap
    trap.close()


@pytest.fixture
def untouched(internet: Internet, trap: Trap) -> Iterator[Trap]:
    """The trap, for tests that fail if anything has knocked at it."""
    before = trap.connections
    yield trap
    assert not [place for place in internet.dialled if place[1] == trap.port]
    assert trap.connections == before


def fetch_answer(answer: Answer, settings: Settings = OPEN) -> bytes:
    with Server(answer) as server:
        return fetch(server.url + "/cat.png", settings)


# --- The table


def test_table_of_hostile_urls_is_large_and_has_no_doubles() -> None:
    urls = [row.url for row in HOSTILE]

    assert len(urls) >= 120
    assert len(set(urls)) == len(urls)


def ids_of(row: Hostile) -> str:
    return ascii(row.url)[1:60]


@pytest.mark.parametrize("row", HOSTILE, ids=ids_of)
def test_hostile_url_is_refused_and_nothing_is_dialled(
    row: Hostile, internet: Internet, untouched: Trap
) -> None:
    internet.names.update(NAMES)
    url = row.url.replace("{port}", str(untouched.port))

    with pytest.raises(row.error):
        fetch(url, settings_of(FETCH_ALLOWED_PORTS=f"80,443,{untouched.port}"))

    assert internet.dialled == []


def test_what_development_does_not_open_stays_refused_there(
    internet: Internet, untouched: Trap
) -> None:
    internet.names.update(NAMES)
    settings = in_development(FETCH_ALLOWED_PORTS=f"80,443,{untouched.port}")
    for row in HOSTILE:
        if not row.open_in_development:
            with pytest.raises(row.error):
                fetch(row.url.replace("{port}", str(untouched.port)), settings)

            assert internet.dialled == [], row.url


@pytest.fixture(scope="module")
def any_server() -> Iterator[Server]:
    with Server() as server:
        yield server


REDIRECTABLE = [
    row
    for row in HOSTILE
    if row.error is FetchBlocked and row.url.isprintable() and "://" in row.url
]


@pytest.mark.parametrize("row", REDIRECTABLE, ids=ids_of)
def test_redirect_to_a_hostile_url_is_refused(
    row: Hostile, internet: Internet, untouched: Trap, any_server: Server
) -> None:
    internet.names.update(NAMES)
    internet.publish(any_server, PUBLIC)
    url = row.url.replace("{port}", str(untouched.port))
    any_server.answer = b"HTTP/1.1 302 Found\r\nLocation: %s\r\n\r\n" % url.encode()

    with pytest.raises(FetchBlocked):
        fetch("http://public.example/", settings_of(FETCH_ALLOWED_PORTS=f"80,443,{untouched.port}"))

    assert internet.dialled == [(PUBLIC, 80)]


# --- What it brings, and what it says


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
    assert fetch_answer(ok(b"picture", "Content-Type: text/html")) == b"picture"


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_name_with_several_addresses_is_tried_at_all_of_them(host: str, internet: Internet) -> None:
    if ":" in host and not HAS_IPV6:
        pytest.skip("this machine has no IPv6")
    internet.names["localhost"] = ["::1", "127.0.0.1"] if "." in host else ["127.0.0.1", "::1"]
    with Server(ok(), host=host) as server:
        assert fetch(f"http://localhost:{server.port}/", OPEN) == b"picture"

    assert len(internet.dialled) == 2


def test_localhost_is_found_with_the_systems_own_resolver() -> None:
    with Server(ok()) as server:
        assert fetch(f"http://localhost:{server.port}/", OPEN) == b"picture"


def test_ipv6_address_can_be_fetched(internet: Internet) -> None:
    if not HAS_IPV6:
        pytest.skip("this machine has no IPv6")
    with Server(ok(), host="::1") as server:
        internet.publish(server, "2606:2800:220:1::1")

        assert fetch("http://[2606:2800:220:1::1]/", STRICT) == b"picture"

    assert b"Host: [2606:2800:220:1::1]\r\n" in server.requests[0]


def test_no_more_than_eight_addresses_are_tried(internet: Internet) -> None:
    internet.names["many.example"] = [f"93.184.215.{number}" for number in range(100)]

    with pytest.raises(FetchFailed):
        fetch("http://many.example/", STRICT)

    assert len(internet.dialled) == 8


# --- The address is checked where the socket is opened


def test_rebinding_name_server_is_asked_once_for_each_fetch(
    internet: Internet, untouched: Trap
) -> None:
    settings = settings_of(FETCH_ALLOWED_PORTS=f"80,{untouched.port}")
    internet.names["rebind.example"] = itertools.chain([[PUBLIC]], itertools.repeat(["127.0.0.1"]))
    with Server(ok()) as server:
        internet.publish(server, PUBLIC, 80)

        assert fetch("http://rebind.example/", settings) == b"picture"
        assert internet.asked == ["rebind.example"]
        with pytest.raises(FetchBlocked, match="loopback"):
            fetch(f"http://rebind.example:{untouched.port}/", settings)

    assert internet.dialled == [(PUBLIC, 80)]


def test_rebinding_between_two_redirects_is_refused(internet: Internet, untouched: Trap) -> None:
    settings = settings_of(FETCH_ALLOWED_PORTS=f"80,{untouched.port}")
    internet.names["rebind.example"] = iter([[PUBLIC], ["127.0.0.1"]])
    location = f"Location: http://rebind.example:{untouched.port}/"
    with Server(http("307 Temporary Redirect", location)) as server:
        internet.publish(server, PUBLIC)

        with pytest.raises(FetchBlocked, match="loopback"):
            fetch("http://rebind.example/", settings)

    assert internet.dialled == [(PUBLIC, 80)]


def test_private_addresses_among_public_ones_are_passed_over(
    internet: Internet, untouched: Trap
) -> None:
    internet.names["mixed.example"] = ["127.0.0.1", "::1", "169.254.169.254", PUBLIC]
    with Server(ok()) as server:
        internet.publish(server, PUBLIC, untouched.port)
        settings = settings_of(FETCH_ALLOWED_PORTS=str(untouched.port))

        assert fetch(f"http://mixed.example:{untouched.port}/", settings) == b"picture"

        assert internet.dialled == [(PUBLIC, untouched.port)]
        internet.dialled.clear()


def test_other_end_is_checked_again_when_the_connection_stands(
    internet: Internet, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Server(ok()) as server:
        internet.publish(server, PUBLIC)
        # A translator in between that shows who is really there.
        monkeypatch.setattr(socket.socket, "getpeername", lambda sock: ("10.0.0.1", 80))

        with pytest.raises(FetchBlocked, match="private"):
            fetch("http://public.example/", STRICT)

    assert server.requests == []


# --- Settings


def test_private_addresses_open_in_development_only() -> None:
    with Server(ok()) as server:
        assert fetch(server.url, OPEN) == b"picture"
        published = settings_of(FETCH_ALLOW_PRIVATE_ADDRESSES="true", FETCH_ALLOWED_PORTS="1")

        with pytest.raises(FetchBlocked):
            fetch(server.url, published)

    assert server.connections == 1


def test_open_development_still_keeps_public_addresses_to_their_ports(internet: Internet) -> None:
    with pytest.raises(FetchBlocked, match="8080"):
        fetch("http://public.example:8080/", OPEN)

    assert internet.dialled == []


def test_name_is_not_looked_up_for_a_port_that_is_refused(internet: Internet) -> None:
    with pytest.raises(FetchBlocked, match="8080"):
        fetch("http://public.example:8080/", STRICT)

    assert internet.asked == []


def test_listed_hosts_are_the_only_ones(internet: Internet) -> None:
    settings = settings_of(FETCH_ALLOWED_HOSTS="public.example,*.cdn.example")
    internet.names["a.b.cdn.example"] = [PUBLIC]
    internet.names["cdn.example"] = internet.names["notcdn.example"] = [PUBLIC]
    with Server(ok()) as server:
        internet.publish(server, PUBLIC)
        assert fetch("http://public.example/", settings) == b"picture"
        assert fetch("http://PUBLIC.example/", settings) == b"picture"
        assert fetch("http://a.b.cdn.example/", settings) == b"picture"
        for host in ("cdn.example", "notcdn.example", "other.example", PUBLIC):
            with pytest.raises(FetchBlocked, match="FETCH_ALLOWED_HOSTS"):
                fetch(f"http://{host}/", settings)

    assert server.connections == 3
    assert set(internet.asked) == {"public.example", "a.b.cdn.example"}


def test_listed_host_may_have_a_private_address_but_no_other_port(internet: Internet) -> None:
    internet.names["store.internal"] = ["127.0.0.1"]
    with Server(ok()) as server:
        settings = settings_of(
            FETCH_ALLOWED_HOSTS="store.internal", FETCH_ALLOWED_PORTS=str(server.port)
        )

        assert fetch(f"http://store.internal:{server.port}/", settings) == b"picture"
        with pytest.raises(FetchBlocked, match="FETCH_ALLOWED_PORTS"):
            fetch("http://store.internal:81/", settings)

    assert len(internet.dialled) == 1


def test_listed_host_never_has_a_metadata_address(internet: Internet) -> None:
    internet.names["store.internal"] = ["169.254.169.254"]
    settings = settings_of(FETCH_ALLOWED_HOSTS="store.internal,168.63.129.16,[fe80::1]")

    for host in ("store.internal", "168.63.129.16", "[fe80::1]"):
        with pytest.raises(FetchBlocked, match="never"):
            fetch(f"http://{host}/", settings)

    assert internet.dialled == []


def test_redirect_leaves_the_listed_hosts_only_to_be_refused(internet: Internet) -> None:
    with Server(http("301 Moved", "Location: http://other.example/")) as server:
        internet.publish(server, PUBLIC)
        with pytest.raises(FetchBlocked, match="FETCH_ALLOWED_HOSTS"):
            fetch("http://public.example/", settings_of(FETCH_ALLOWED_HOSTS="public.example"))

    assert internet.asked == ["public.example"]


# --- Redirects


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
        assert fetch("http://public.example/cat.png", STRICT) == b"picture"

    assert second.requests[0].startswith(b"GET /dog.png?x=1 HTTP/1.1\r\nHost: other.example\r\n")
    assert b"Referer" not in second.requests[0]


def test_relative_redirects_are_followed_three_times() -> None:
    with Server(chain("../b?q=1", "c", "/d/ü")) as server:
        assert fetch(f"{server.url}/x/a", OPEN) == b"picture"

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


# --- The other server says no, or nothing that can be used


@pytest.mark.parametrize(
    "status", [101, 300, 304, 400, 401, 403, 404, 410, 418, 429, 500, 503, 799]
)
def test_upstream_status_is_told(status: int) -> None:
    with pytest.raises(FetchFailed, match=str(status)) as caught:
        fetch_answer(http(f"{status} <script>", body=b"sorry"))

    assert caught.value.upstream_status == status
    assert "script" not in caught.value.message


@pytest.mark.parametrize("answer", [ok(b""), http("204 No Content"), http("200 OK")])
def test_empty_body_fails(answer: bytes) -> None:
    with pytest.raises(FetchFailed, match="empty"):
        fetch_answer(answer)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\x00" * 100,
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 OK\r\n\r\n",
        b"HTTP/1.1 99999 OK\r\n\r\n",
        b"HTTP/9.9 200 OK\r\n\r\nbody",
        b"HTTP/1.1 200 OK\r\n" + b"X: 1\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000,
        http("200 OK", "Transfer-Encoding: chunked", body=b"zz\r\nabc"),
        http("200 OK", "Transfer-Encoding: chunked", body=b"5\r\nabc"),
        http("200 OK", "Transfer-Encoding: chunked", body=b"5\r\nabcde\r\n"),
        ok(b"half", length=9),
    ],
    ids=lambda answer: ascii(answer[:40]),
)
def test_answer_that_is_not_http_or_breaks_off_fails(answer: bytes) -> None:
    with pytest.raises(FetchFailed):
        fetch_answer(answer)


@given(
    st.one_of(
        st.binary(max_size=300),
        st.binary(max_size=300).map(lambda tail: b"HTTP/1.1 200 OK\r\n" + tail),
        st.builds(
            lambda name, value, body: http("200 OK", f"{name}: {value}", body=body),
            st.sampled_from(
                ["Content-Length", "Content-Encoding", "Transfer-Encoding", "Location", "X"]
            ),
            st.one_of(
                st.sampled_from(["gzip", "deflate", "chunked", "-1", "0", "9" * 5000, "1, 2"]),
                st.text(st.characters(codec="latin-1", exclude_characters="\r\n"), max_size=20),
            ),
            st.binary(max_size=100),
        ),
    )
)
@hypothesis_settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_answer_raises_anything_but_our_own_errors(any_server: Server, answer: bytes) -> None:
    any_server.answer = answer
    try:
        body = fetch(any_server.url, HURRIED)
    except ClassifierError as exc:
        assert exc.message
    else:
        assert body


def test_refused_connection_fails(internet: Internet) -> None:
    with Server() as server:
        pass

    with pytest.raises(FetchFailed, match="nothing answers"):
        fetch(server.url, OPEN)


def test_unknown_name_fails(internet: Internet) -> None:
    with pytest.raises(FetchFailed, match="DNS") as caught:
        fetch("http://nobody.example/", STRICT)

    assert caught.value.upstream_status is None


# --- Time


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(silent, id="silence"),
        pytest.param(drip(b"HTTP/1.1 200 OK" + b" " * 999), id="status line"),
        pytest.param(drip(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 999), id="headers"),
        pytest.param(drip(http("100 Continue") * 999), id="interim answers"),
        pytest.param(drip(ok(b"x" * 999)), id="body"),
        pytest.param(drip(http("200 OK", body=b"x" * 999)), id="body without length"),
        pytest.param(
            drip(http("200 OK", "Transfer-Encoding: chunked", body=b"1\r\nx\r\n" * 999)),
            id="chunks",
        ),
        pytest.param(
            drip(http("200 OK", "Transfer-Encoding: chunked", body=b"1;" + b"x" * 999)),
            id="one chunk's size",
        ),
        pytest.param(drip(http("302 Found", *["X: y"] * 99)), id="redirect"),
    ],
)
def test_slow_server_is_cut_at_the_deadline(answer: Answer) -> None:
    with Server(answer) as server:
        started = time.monotonic()
        with pytest.raises(FetchTimedOut, match=r"0\.2 s"):
            fetch(server.url, HURRIED)
        took = time.monotonic() - started

    assert 0.15 < took < 2


def test_redirects_share_one_deadline() -> None:
    def late(sock: socket.socket) -> None:
        time.sleep(0.3)  # in time once, not twice
        sock.sendall(http("302 Found", "Location: /next"))

    with Server(late) as server:
        with pytest.raises(FetchTimedOut):
            fetch(server.url, in_development(FETCH_TIMEOUT_SECONDS="0.5"))
        assert server.connections == 2


def test_silent_name_server_is_cut_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(connect, "resolve", lambda host, port: [str(over.wait(5))])

    started = time.monotonic()
    with pytest.raises(FetchTimedOut):
        fetch("http://slow.example/", settings_of(FETCH_TIMEOUT_SECONDS="0.2"))
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

        assert fetch("http://two.example/", settings_of(FETCH_TIMEOUT_SECONDS="1")) == b"picture"

        for filler in fillers:
            filler.close()


# --- Size


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


def zlib_bomb(wbits: int, size: int) -> bytes:
    packer = zlib.compressobj(6, zlib.DEFLATED, wbits)
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range(size >> 20)) + packer.flush()


@pytest.mark.parametrize(("encoding", "wbits"), [("gzip", 31), ("X-GZIP", 31), ("deflate", 15)])
def test_compression_bomb_is_cut_at_the_limit(encoding: str, wbits: int) -> None:
    bomb = zlib_bomb(wbits, 20 << 20)
    assert len(bomb) < LIMIT  # so that only what comes out of it is too large
    tracemalloc.start()
    try:
        with pytest.raises(ImageTooLarge):
            fetch_answer(ok(bomb, f"Content-Encoding: {encoding}"))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 2_000_000


@pytest.mark.parametrize("size", [1, 65_535, 65_536, 65_537, LIMIT])
def test_compressed_body_is_decompressed(size: int) -> None:
    body = (b"0123456789abcdef" * (size // 16 + 1))[:size]

    assert fetch_answer(ok(gzip.compress(body), "Content-Encoding: gzip")) == body
    assert fetch_answer(ok(zlib.compress(body), "Content-Encoding: deflate")) == body


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(b"picture", mtime=0)[:-9]),
        ("gzip", b"not gzip at all"),
        ("deflate", b"\x00" * 50),
        ("gzip, gzip", gzip.compress(gzip.compress(b"picture", mtime=0), mtime=0)),
        ("br", b"\x8b\x03\x80picture\x03"),
        ("zstd", b"\x28\xb5\x2f\xfd"),
        ("gzip;", b"x"),
    ],
)
def test_damaged_or_unasked_compression_fails(encoding: str, body: bytes) -> None:
    with pytest.raises(FetchFailed):
        fetch_answer(ok(body, f"Content-Encoding: {encoding}"))


# --- TLS


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusted(
    authority: trustme.CA, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[trustme.CA]:
    """An authority that the system trusts, as a company's own is."""
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    connect.tls_context.cache_clear()
    yield authority
    connect.tls_context.cache_clear()


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

        assert fetch("http://public.example/", STRICT) == b"picture"


@pytest.mark.parametrize("answer", [silent, drip(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 999)])
def test_slow_tls_server_is_cut_at_the_deadline(
    answer: Answer, trusted: trustme.CA, internet: Internet
) -> None:
    with TlsServer(trusted, "public.example", answer) as server:
        internet.publish(server, PUBLIC, 443)
        started = time.monotonic()
        with pytest.raises(FetchTimedOut):
            fetch("https://public.example/", settings_of(FETCH_TIMEOUT_SECONDS="0.2"))

    assert time.monotonic() - started < 2


def test_handshake_that_never_ends_is_cut_at_the_deadline(internet: Internet) -> None:
    with Server(silent) as server:
        internet.publish(server, PUBLIC, 443)
        started = time.monotonic()
        with pytest.raises(FetchTimedOut):
            fetch("https://public.example/", settings_of(FETCH_TIMEOUT_SECONDS="0.2"))

    assert time.monotonic() - started < 2


def test_endless_tls_server_is_cut_at_the_limit(trusted: trustme.CA, internet: Internet) -> None:
    endless_answer = endless(CHUNKED, b"1;" + b"x" * 60_000 + b"\r\nx\r\n")
    with TlsServer(trusted, "public.example", endless_answer) as server:
        internet.publish(server, PUBLIC, 443)
        with pytest.raises(ImageTooLarge):
            fetch("https://public.example/", STRICT)


# --- What is shown


@pytest.mark.parametrize(
    "answer",
    [
        ok(),
        ok(b""),
        ok(b"x" * (LIMIT + 1)),
        ok(b"half", length=9),
        http("403 Forbidden"),
        http("302 Found", "Location: /x?sig=SECRET"),
        http("302 Found", "Location: file:///x?sig=SECRET"),
        http("302 Found", "Location: http://169.254.169.254/?sig=SECRET"),
        http("302 Found", "Location: http://me:SECRET@other.example/"),
        http("302 Found", "Location: http://[SECRET/"),
        http("200 OK", "Bad header : SECRET", " : : :", "\x00", body=b"x"),
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\nbody",
        b"garbage",
        b"",
    ],
    ids=lambda answer: ascii(answer[:60]),
)
def test_query_is_neither_logged_nor_shown(
    answer: bytes, internet: Internet, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    shown = ""
    with Server(answer) as server:
        try:
            fetch(f"{server.url}/cat.png?sv=2026&sig=SECRET#SECRET", OPEN)
        except ClassifierError as exc:
            # A traceback in a log shows the causes too.
            shown = f"{exc.message} {exc.__cause__!r} {exc.__context__!r}"

    assert b"sig=SECRET" in server.requests[0]
    assert "SECRET" not in shown + caplog.text


def test_refusal_of_a_hostile_url_shows_neither_query_nor_password(
    internet: Internet, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    internet.names.update(NAMES)
    for row in HOSTILE:
        url = row.url.replace("{port}", "80").replace("password", "SECRET")

        with pytest.raises((FetchBlocked, InvalidRequest)) as caught:
            fetch(f"{url}?sig=SECRET", STRICT)

        assert "SECRET" not in caught.value.message + caplog.text, url
        assert caught.value.message.isprintable(), url


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
