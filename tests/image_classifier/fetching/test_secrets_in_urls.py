"""No query and no password of a URL is logged or shown."""

from __future__ import annotations

import logging

import pytest

from image_classifier.errors import ClassifierError, FetchBlocked, InvalidRequest
from image_classifier.fetching.fetch import fetch
from tests.support.fetch_policies import LIMIT, OPEN, STRICT
from tests.support.fetch_servers import Internet, Server, http, ok
from tests.support.hostile_urls import HOSTILE, NAMES


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
