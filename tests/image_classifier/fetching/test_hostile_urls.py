"""No hostile URL is dialled, however it is spelled and wherever it comes from."""

from __future__ import annotations

from dataclasses import replace

import pytest

from image_classifier.errors import FetchBlocked
from image_classifier.fetching.fetch import fetch
from tests.support.fetch_policies import OPEN, PUBLIC, strict
from tests.support.fetch_servers import Internet, Server, Trap
from tests.support.hostile_urls import HOSTILE, NAMES, Hostile


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
        fetch(url, strict(ports={80, 443, untouched.port}))

    assert internet.dialled == []


def test_what_development_does_not_open_stays_refused_there(
    internet: Internet, untouched: Trap
) -> None:
    internet.names.update(NAMES)
    policy = replace(OPEN, allowed_ports=frozenset({80, 443, untouched.port}))
    for row in HOSTILE:
        if not row.open_in_development:
            with pytest.raises(row.error):
                fetch(row.url.replace("{port}", str(untouched.port)), policy)

            assert internet.dialled == [], row.url


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
        fetch("http://public.example/", strict(ports={80, 443, untouched.port}))

    assert internet.dialled == [(PUBLIC, 80)]
