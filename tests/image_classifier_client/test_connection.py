"""The settings of a client: what they become, and what is refused at once."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import trustme

from image_classifier_client import PredictionClient
from image_classifier_client.connection import _OPTIONS, Connection

ROOTS = trustme.CA().cert_pem.bytes()
BAD = b"-----BEGIN CERTIFICATE-----\nno base64!\n-----END CERTIFICATE-----\n"


def connection(*arguments: Any, **more: Any) -> Connection:
    return PredictionClient(*arguments, **more)._connection


@pytest.mark.parametrize(
    ("arguments", "target"),
    [
        (("localhost",), "localhost:80"),
        (("localhost", None, True), "localhost:443"),
        (("localhost", 8500), "localhost:8500"),
        (("localhost:8500",), "localhost:8500"),
        (("127.0.0.1", 8500), "127.0.0.1:8500"),
        (("::1", 8500), "[::1]:8500"),
        (("::1",), "[::1]:80"),
        (("[::1]:8500",), "[::1]:8500"),
        (("[::1]", 8500), "[::1]:8500"),
        (("[::1]",), "[::1]:80"),
        (("2001:db8::1", 65535), "[2001:db8::1]:65535"),
        (("localhost:1", None, True), "localhost:1"),
        (("unix:/run/model",), "unix:/run/model"),
    ],
)
def test_where_the_server_is(arguments: tuple[Any, ...], target: str) -> None:
    assert connection(*arguments).target == target


def test_each_call_carries_what_the_old_client_sent() -> None:
    assert connection("a", 1, False, " KEY\n", "pets").metadata == [
        ("x-ms-aml-grpc-service-route", "/api/v1/service/pets"),
        ("authorization", "Bearer KEY"),
    ]
    assert connection("a").metadata == [("x-ms-aml-grpc-service-route", "/api/v1/service/")]


@pytest.mark.parametrize(
    ("arguments", "more", "words"),
    [
        (("",), {}, "The address is ''"),
        (("http://a",), {}, "without http://"),
        (("a/score",), {}, "without a path"),
        (("a", 0), {}, "port is 0; it must be from 1 to 65535"),
        (("a", 65536), {}, "port is 65536"),
        (("127.0.0.1:126427",), {}, "port is 126427; it must be from 1 to 65535"),
        (("[::1]:0",), {}, "port is 0"),
        (("a:-1",), {}, "port is -1"),
        (("a:²",), {}, "port is ²"),
        (("a:" + "9" * 9999,), {}, "must be from 1 to 65535"),
        (("a:",), {}, "port is empty"),
        (("localhost:abc",), {}, "port is abc"),
        (("localhost:8500", 8500), {}, "has a port, and the port 8500 is given too. Pass one"),
        (("[::1]:8500", 8500), {}, "is given too"),
        (("dns:localhost:8500",), {}, "such as name:8500"),
        (("[localhost]:8500",), {}, "such as name:8500"),
        (("[::1",), {}, "such as name:8500"),
        (("[::1]8500",), {}, "such as name:8500"),
        (("a:1\n",), {}, "such as name:8500"),
        (("a",), {"timeout": 0}, "timeout is 0"),
        (("a",), {"timeout": -1}, "timeout is -1"),
        (("a",), {"timeout": float("inf")}, "timeout is inf"),
        (("a",), {"timeout": float("nan")}, "timeout is nan"),
        (("a",), {"timeout": None}, "timeout is None; it must be a number of seconds above 0"),
        (("a",), {"timeout": sys.maxsize}, r"at most a year \(31536000\)"),
        (("a",), {"retries": -1}, "retries is -1"),
        (("a",), {"access_token": "kéy"}, "access_token must be printable ASCII"),
        (("a",), {"access_token": "a\nb"}, "access_token must be printable ASCII"),
        (("a",), {"service_name": "ä"}, "service_name must be printable ASCII"),
        (("a",), {"root_certificates": b"PEM"}, "pass use_ssl=True too"),
        (("a", 1, True), {"root_certificates": b"PEM"}, "no PEM certificate"),
        (("a", 1, True), {"root_certificates": BAD}, "a damaged certificate"),
        (("a", 1, True), {"root_certificates": ROOTS + BAD}, "cut short. Pass whole ones"),
        (("a", 1, True), {"root_certificates": ROOTS[:300]}, "cut short. Pass whole ones"),
    ],
)
def test_what_cannot_be_is_refused_when_the_client_is_made(
    arguments: tuple[Any, ...], more: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        PredictionClient(*arguments, **more)


def test_several_certificates_and_comments_among_them_are_fine() -> None:
    pem = "Ämter\n".encode() + ROOTS + b"# another\n" + trustme.CA().cert_pem.bytes() + ROOTS

    assert connection("a", use_ssl=True, root_certificates=pem).use_ssl


def test_a_missing_file_of_certificates_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"roots\.pem"):
        PredictionClient("a", use_ssl=True, root_certificates=tmp_path / "roots.pem")


def test_a_calls_own_timeout_is_checked_too() -> None:
    with pytest.raises(ValueError, match="timeout is 0"):
        PredictionClient("a").status(timeout=0)
    with pytest.raises(ValueError, match="at most a year"):
        PredictionClient("a").status(timeout=1e10)


def test_pings_are_rarer_than_what_grpcs_servers_end_a_call_for() -> None:
    allowed_every_ms = 300_000  # grpc.http2.min_ping_interval_without_data_ms, by default

    assert dict(_OPTIONS)["grpc.keepalive_time_ms"] > allowed_every_ms


def test_repr_says_all_but_the_token() -> None:
    client = PredictionClient("a", 1, True, "secret", "pets", model="cats", timeout=3)
    text = repr(client)

    assert text == (
        "PredictionClient('a:1', use_ssl=True, access_token=…, service_name='pets', "
        "model='cats', timeout=3)"
    )
    assert "secret" not in repr(vars(client)), "nor where a notebook or a traceback shows more"
