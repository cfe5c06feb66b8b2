"""Parsing, refusing and showing URLs. The hostile ones are in tests/support/hostile_urls.py."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from image_classifier.errors import ClassifierError, FetchBlocked, InvalidRequest
from image_classifier.fetching.urls import Url, host_is_listed, join_url, parse_url, without_query


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("http://example.com", "http://example.com/"),
        ("HTTPS://EXAMPLE.com:443/Cat.PNG", "https://example.com/Cat.PNG"),
        ("http://example.com:8080?x=1", "http://example.com:8080/?x=1"),
        ("https://example.com:80/", "https://example.com:80/"),
        ("https://example.com#top", "https://example.com/"),
        ("https://example.com/a?b#c?d", "https://example.com/a?b"),
        ("https://example.com/a b.png", "https://example.com/a%20b.png"),
        ("https://example.com/a%20b.png", "https://example.com/a%20b.png"),
        ("https://example.com/100%.png", "https://example.com/100%25.png"),
        ("https://example.com/кот.png?q=é", "https://example.com/%D0%BA%D0%BE%D1%82.png?q=%C3%A9"),
        ("https://example.com/@user/x@2.png", "https://example.com/@user/x@2.png"),
        ("https://example.com/?u=http://a@b/", "https://example.com/?u=http://a@b/"),
        ('https://example.com/<"|^`{}>', "https://example.com/%3C%22%7C%5E%60%7B%7D%3E"),
        ("https://x.blob.core.windows.net/c/a.png?sv=1&sig=a%2Fb%3D", None),
        ("https://under_score.example.com/a;b=c,d(e)'f!g*h~i-j.k_l$m&n", None),
        ("https://3com.com/", None),
        ("https://a.b.c.d.e.example.co.uk/", None),
        ("https://xn--mnchen-3ya.de/", None),
        ("https://xn--fsqu00a.xn--0zwm56d/", None),
        ("https://xn--eckwd4c7c.xn--zckzah/", None),
        ("http://93.184.215.14/", None),
        ("http://[2001:4860:4860:0:0:0:0:8888]:81/", "http://[2001:4860:4860::8888]:81/"),
    ],
)
def test_url_is_understood(text: str, full: str | None) -> None:
    assert parse_url(text).full == (full or text)


def test_parts_of_a_url() -> None:
    url = parse_url("https://Example.com:8443/a/b.png?c=d#e")

    assert url == Url("https", "example.com", 8443, "/a/b.png", "?c=d", None)
    assert url.target == "/a/b.png?c=d"
    assert parse_url("http://93.184.215.14/").address == IPv4Address("93.184.215.14")
    assert parse_url("http://[::1]/").address == IPv6Address("::1")


def test_url_of_8192_characters_is_the_longest() -> None:
    longest = "https://example.com/".ljust(8192, "x")

    assert len(parse_url(longest).full) == 8192
    with pytest.raises(InvalidRequest, match="8193"):
        parse_url(longest + "x")


TRICKY = st.text("htps:/\\@[]%.?#-_0123x fаａ。\t", max_size=30)


@hypothesis_settings(deadline=None)
@given(
    st.one_of(
        st.text(max_size=30),
        TRICKY,
        st.builds(
            "{}{}".format, st.sampled_from(["http://", "https://a.b", "http:", "x://"]), TRICKY
        ),
    )
)
def test_any_text_is_understood_or_refused_in_words(text: str) -> None:
    try:
        url = parse_url(text)
    except ClassifierError as exc:
        assert isinstance(exc, InvalidRequest | FetchBlocked)
        assert exc.message.endswith(".")
        return
    again = parse_url(url.full)
    theirs = urlsplit(url.full)

    # No two parsers read it differently, and it can stand in a request line as it is.
    assert again == url
    assert (theirs.scheme, theirs.hostname) == (url.scheme, url.host)
    assert theirs.port in (url.port, None)
    assert theirs.username is None
    assert url.full.isascii() and url.full.isprintable() and " " not in url.full


@pytest.mark.parametrize(
    ("host", "entries", "listed"),
    [
        ("example.com", ["example.com"], True),
        ("example.com", ["other.com", "example.com"], True),
        ("www.example.com", ["example.com"], False),
        ("www.example.com", ["*.example.com"], True),
        ("a.b.example.com", ["*.example.com"], True),
        ("example.com", ["*.example.com"], False),
        ("badexample.com", ["*.example.com"], False),
        ("example.com.evil.com", ["example.com", "*.example.com"], False),
        ("10.0.0.1", ["10.0.0.1"], True),
        ("10.0.0.1", ["*.0.0.1"], False),
        ("[fd00::1]", ["[fd00:0:0::1]"], True),
        ("[fd00::2]", ["[fd00::1]", "[not an address]"], False),
        ("example.com", [], False),
    ],
)
def test_listed_host(host: str, entries: list[str], listed: bool) -> None:
    assert host_is_listed(parse_url(f"http://{host}/"), entries) is listed


@pytest.mark.parametrize(
    ("location", "full"),
    [
        ("https://b.example/x", "https://b.example/x"),
        ("//b.example/x", "http://b.example/x"),
        ("/x?y", "http://a.example/x?y"),
        ("x", "http://a.example/1/x"),
        ("../x", "http://a.example/x"),
        ("?x", "http://a.example/1/2?x"),
        ("#x", "http://a.example/1/2?q"),
    ],
)
def test_redirect_is_joined_to_the_url_it_came_from(location: str, full: str) -> None:
    base = parse_url("http://a.example/1/2?q")

    assert join_url(base, location).full == full


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("//[", "^The location cannot be understood\\.$"),
        ("//a\uff0fb/", "^The location cannot be understood\\.$"),
        ("http:x", "not a whole URL"),
        ("http:///x", "host"),
        ("FTP://a.example/", "^The image's URL has the scheme ftp; only http and https are"),
        ("x" * 30 + "://a/", "^The image's URL has the scheme x{20}; only"),
    ],
)
def test_redirect_to_what_is_not_a_url_is_refused(location: str, words: str) -> None:
    with pytest.raises((InvalidRequest, FetchBlocked), match=words):
        join_url(parse_url("http://a.example/1/2?q"), location)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://example.com/cat.png", "https://example.com/cat.png"),
        ("https://example.com/cat.png?sig=SECRET", "https://example.com/cat.png"),
        ("https://example.com/cat.png#SECRET", "https://example.com/cat.png"),
        ("https://example.com/cat.png%3Fsig=SECRET", "https://example.com/cat.png"),
        ("https://example.com?SECRET", "https://example.com"),
        ("https://me:SECRET@example.com/cat.png", "https://example.com/cat.png"),
        ("https://me:SECRET@a@example.com/@b", "https://example.com/@b"),
        ("https:me:SECRET@example.com/", "https:example.com/"),
        ("https:\\\\me:SECRET@example.com\\x", "https:\\\\example.com\\x"),
        ("me@example.com/x", "example.com/x"),
        ("/x/y.png?SECRET", "/x/y.png"),
        ("", ""),
        ("a\r\nb\x1b[31m\u202ec", "a��b�[31m�c"),
        ("x" * 500, "x" * 200 + "…"),
    ],
)
def test_what_is_shown_of_a_url(text: str, shown: str) -> None:
    assert without_query(text) == shown


def test_url_shows_itself_without_its_query() -> None:
    url = parse_url("https://example.com/cat.png?sig=SECRET")

    assert f"{url} {url!s} {url!r}" == (
        "https://example.com/cat.png https://example.com/cat.png <Url https://example.com/cat.png>"
    )


@hypothesis_settings(deadline=None)
@given(st.text(), st.sampled_from("?#"), st.text())
def test_nothing_after_a_question_mark_or_hash_is_shown(start: str, mark: str, rest: str) -> None:
    shown = without_query(start + mark + rest)

    assert shown == without_query(start)
    assert len(shown) <= 201
    assert shown.isprintable()
