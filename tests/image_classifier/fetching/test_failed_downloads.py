"""Servers that refuse, break off or speak no HTTP, and the errors that they become."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from image_classifier.errors import ClassifierError, FetchFailed
from image_classifier.fetching.fetch import fetch
from tests.support.fetch_policies import HURRIED, OPEN, STRICT, fetch_answer
from tests.support.fetch_servers import Internet, Server, http, ok


@pytest.mark.parametrize(
    "status", [101, 300, 304, 400, 401, 403, 404, 410, 418, 429, 500, 503, 799]
)
def test_upstream_status_is_told(status: int) -> None:
    with pytest.raises(FetchFailed, match=str(status)) as caught:
        fetch_answer(http(f"{status} <script>", body=b"sorry"))

    assert caught.value.upstream_status == status
    assert "script" not in caught.value.message


@pytest.mark.parametrize(
    ("status", "phrase"), [(404, "Not Found"), (418, "I'm a Teapot"), (799, "unknown status")]
)
def test_the_phrase_of_a_status_is_the_standards(status: int, phrase: str) -> None:
    with pytest.raises(FetchFailed, match=f"{status} {phrase}"):
        fetch_answer(http(f"{status} Gone fishing"))


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
@settings(
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
