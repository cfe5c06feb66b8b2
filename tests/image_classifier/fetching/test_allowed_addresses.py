"""The address is checked where the socket is opened, against the policy."""

from __future__ import annotations

import itertools
import socket

import pytest

from image_classifier.errors import FetchBlocked
from image_classifier.fetching.fetch import fetch
from tests.support.fetch_policies import OPEN, PUBLIC, STRICT, strict
from tests.support.fetch_servers import Internet, Server, Trap, http, ok


def test_rebinding_name_server_is_asked_once_for_each_fetch(
    internet: Internet, untouched: Trap
) -> None:
    policy = strict(ports={80, untouched.port})
    internet.names["rebind.example"] = itertools.chain([[PUBLIC]], itertools.repeat(["127.0.0.1"]))
    with Server(ok()) as server:
        internet.publish(server, PUBLIC, 80)

        assert fetch("http://rebind.example/", policy) == b"image"
        assert internet.asked == ["rebind.example"]
        with pytest.raises(FetchBlocked, match="loopback"):
            fetch(f"http://rebind.example:{untouched.port}/", policy)

    assert internet.dialled == [(PUBLIC, 80)]


def test_rebinding_between_two_redirects_is_refused(internet: Internet, untouched: Trap) -> None:
    policy = strict(ports={80, untouched.port})
    internet.names["rebind.example"] = iter([[PUBLIC], ["127.0.0.1"]])
    location = f"Location: http://rebind.example:{untouched.port}/"
    with Server(http("307 Temporary Redirect", location)) as server:
        internet.publish(server, PUBLIC)

        with pytest.raises(FetchBlocked, match="loopback"):
            fetch("http://rebind.example/", policy)

    assert internet.dialled == [(PUBLIC, 80)]


def test_private_addresses_among_public_ones_are_passed_over(
    internet: Internet, untouched: Trap
) -> None:
    internet.names["mixed.example"] = ["127.0.0.1", "::1", "169.254.169.254", PUBLIC]
    with Server(ok()) as server:
        internet.publish(server, PUBLIC, untouched.port)
        policy = strict(ports={untouched.port})

        assert fetch(f"http://mixed.example:{untouched.port}/", policy) == b"image"

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


def test_open_development_still_keeps_public_addresses_to_their_ports(internet: Internet) -> None:
    with pytest.raises(FetchBlocked, match="8080"):
        fetch("http://public.example:8080/", OPEN)

    assert internet.dialled == []


def test_name_is_not_looked_up_for_a_port_that_is_refused(internet: Internet) -> None:
    with pytest.raises(FetchBlocked, match="8080"):
        fetch("http://public.example:8080/", STRICT)

    assert internet.asked == []


def test_listed_hosts_are_the_only_ones(internet: Internet) -> None:
    policy = strict(hosts=("public.example", "*.cdn.example"))
    internet.names["a.b.cdn.example"] = [PUBLIC]
    internet.names["cdn.example"] = internet.names["notcdn.example"] = [PUBLIC]
    with Server(ok()) as server:
        internet.publish(server, PUBLIC)
        assert fetch("http://public.example/", policy) == b"image"
        assert fetch("http://PUBLIC.example/", policy) == b"image"
        assert fetch("http://a.b.cdn.example/", policy) == b"image"
        for host in ("cdn.example", "notcdn.example", "other.example", PUBLIC):
            with pytest.raises(FetchBlocked, match="FETCH_ALLOWED_HOSTS"):
                fetch(f"http://{host}/", policy)

    assert server.connections == 3
    assert set(internet.asked) == {"public.example", "a.b.cdn.example"}


def test_listed_host_may_have_a_private_address_but_no_other_port(internet: Internet) -> None:
    internet.names["store.internal"] = ["127.0.0.1"]
    with Server(ok()) as server:
        policy = strict(hosts=("store.internal",), ports={server.port})

        assert fetch(f"http://store.internal:{server.port}/", policy) == b"image"
        with pytest.raises(FetchBlocked, match="FETCH_ALLOWED_PORTS"):
            fetch("http://store.internal:81/", policy)

    assert len(internet.dialled) == 1


def test_listed_host_never_has_a_metadata_address(internet: Internet) -> None:
    internet.names["store.internal"] = ["169.254.169.254"]
    policy = strict(hosts=("store.internal", "168.63.129.16", "[fe80::1]"))

    for host in ("store.internal", "168.63.129.16", "[fe80::1]"):
        with pytest.raises(FetchBlocked, match="never"):
            fetch(f"http://{host}/", policy)

    assert internet.dialled == []


def test_redirect_leaves_the_listed_hosts_only_to_be_refused(internet: Internet) -> None:
    with Server(http("301 Moved", "Location: http://other.example/")) as server:
        internet.publish(server, PUBLIC)
        with pytest.raises(FetchBlocked, match="FETCH_ALLOWED_HOSTS"):
            fetch("http://public.example/", strict(hosts=("public.example",)))

    assert internet.asked == ["public.example"]
