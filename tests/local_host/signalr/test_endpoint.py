from __future__ import annotations

import pickle
import time

import jwt
import pytest

from local_host.errors import HostError
from local_host.signalr.endpoint import InvalidToken, client_url, make_token
from local_host.signalr.senders import SignalREndpoint, connection_info

KEY = "YSBrZXkgb2YgYSByZWFsIHNlcnZpY2UgaXMgYXMgbG9uZyBhcyB0aGlzIGFuZCBlbmRzIGFsaWtl="
ENDPOINT = SignalREndpoint("https://s.service.signalr.net", KEY)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        (f"Endpoint=https://s.net;AccessKey={KEY};Version=1.0;", "https://s.net"),
        (f" endpoint = https://s.net/ ; ACCESSKEY={KEY}", "https://s.net"),
        (
            f"Endpoint=http://localhost;Port=8888;AccessKey={KEY};Version=1.0;",
            "http://localhost:8888",
        ),
        (f"Endpoint=http://[::1]:9;AccessKey={KEY}", "http://[::1]:9"),
    ],
)
def test_a_connection_string_gives_url_and_key(text: str, url: str) -> None:
    endpoint = SignalREndpoint.parse_connection_string(text)

    assert endpoint == SignalREndpoint(url, KEY)
    assert SignalREndpoint.parse_connection_string(endpoint.connection_string) == endpoint


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "AccessKey has 0 characters"),
        (f"AccessKey={KEY}", "Endpoint must be a URL"),
        (f"Endpoint=s.net;AccessKey={KEY}", "Endpoint must be a URL"),
        (f"Endpoint=https://s.net/hub;AccessKey={KEY}", "scheme and host only"),
        (f"Endpoint=https://s.net:x;AccessKey={KEY}", "not a URL"),
        (f"Endpoint=https://s.net;AccessKey={KEY};Port=99999", "Port=99999"),
        (f"Endpoint=https://s.net;AccessKey={KEY};Version=2.0", "Version=2.0"),
        (f"Endpoint=https://s.net;AccessKey={KEY};AccessKey={KEY}", "AccessKey occurs twice"),
        (f"Endpoint=https://s.net;{KEY[:-1]}", "without '='"),
        ("Endpoint=https://s.net;AuthType=azure;Version=1.0", "AuthType"),
        (f"Endpoint=https://s.net;ClientEndpoint=https://c.net;AccessKey={KEY}", "one Endpoint"),
        ("Endpoint=https://s.net;AccessKey=short", "5 characters"),
    ],
)
def test_a_useless_connection_string_is_refused_without_showing_the_key(
    text: str, reason: str
) -> None:
    with pytest.raises(HostError) as caught:
        SignalREndpoint.parse_connection_string(text)

    assert reason in str(caught.value)
    assert "Endpoint=https://NAME" in str(caught.value)
    assert KEY[:-1] not in str(caught.value)


def test_an_endpoint_travels_to_other_processes_and_keeps_its_key_out_of_sight() -> None:
    assert pickle.loads(pickle.dumps(ENDPOINT)) == ENDPOINT
    assert KEY not in repr(ENDPOINT)


@pytest.mark.parametrize("user", [None, "ann"])
def test_connection_info_is_what_the_service_and_its_clients_expect(user: str | None) -> None:
    info = connection_info(ENDPOINT, "ImageClassification", user)
    url = "https://s.service.signalr.net/client/?hub=imageclassification"
    claims = jwt.decode(info["accessToken"], KEY, ["HS256"], audience=url)

    assert sorted(info) == ["accessToken", "url"]
    assert info["url"] == url
    assert claims["exp"] - time.time() == pytest.approx(3600, abs=5)
    assert claims.get("asrs.s.uid") == user
    assert jwt.get_unverified_header(info["accessToken"])["alg"] == "HS256"


@pytest.mark.parametrize(
    "token",
    [
        None,
        "",
        "no token",
        jwt.encode({"aud": "u", "exp": time.time() - 1}, KEY),
        jwt.encode({"aud": "v", "exp": time.time() + 60}, KEY),
        jwt.encode({"exp": time.time() + 60}, KEY),
        jwt.encode({"aud": "u"}, KEY),
        jwt.encode({"aud": "u", "exp": time.time() + 60}, KEY.swapcase()),
        jwt.encode({"aud": "u", "exp": time.time() + 60}, KEY, "HS512"),
        jwt.encode({"aud": "u", "exp": time.time() + 60}, "", "none"),
    ],
    ids=[
        "none",
        "empty",
        "other text",
        "over",
        "for another",
        "for nobody",
        "without end",
        "other key",
        "other algorithm",
        "not signed",
    ],
)
def test_a_token_that_is_not_in_order_is_refused(token: str | None) -> None:
    with pytest.raises(InvalidToken):
        ENDPOINT.read_token(token, {"u"})


def test_a_token_in_order_gives_its_claims() -> None:
    url = client_url(ENDPOINT, "h")

    assert ENDPOINT.read_token(make_token(ENDPOINT, url, {"a": "b"}), {url})["a"] == "b"
