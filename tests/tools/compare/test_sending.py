"""Both endpoints get every image as it is, at the same time, and no one else gets a key."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from tests.tools.compare.services import (
    KEY_A,
    KEY_B,
    NAMED,
    PROJECT,
    Compare,
    Reply,
    Serve,
    cat,
    posix_only,
)


def test_both_are_sent_every_image_as_it_is_and_each_its_own_key(
    compare: Compare, service: Serve, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = service(), service()
    monkeypatch.setenv("PREDICTION_KEY_A", f" {KEY_A}\n")
    monkeypatch.setenv("PREDICTION_KEY_B", KEY_B)
    ran = compare(f"{a.url}?code=the-query-secret", b.url.replace("/image", "/url/nostore"))

    assert ran.status == 0, ran.err
    for each in (a, b):
        assert sorted(asked.body for asked in each.asked) == [
            b"a.png",
            b"b.JPG",
            b"sub/c.gif",
            b"sub/d.bmp",
        ]
        types = {asked.headers["Content-Type"] for asked in each.asked}
        assert types == {"application/octet-stream"}
    assert {asked.headers["Prediction-Key"] for asked in a.asked} == {KEY_A}
    assert {asked.headers["Prediction-Key"] for asked in b.asked} == {KEY_B}
    assert {asked.path for asked in a.asked} == {f"{NAMED}/pets/image?code=the-query-secret"}
    assert {asked.path for asked in b.asked} == {f"{NAMED}/pets/image/nostore"}


def test_no_key_is_sent_where_there_is_none(compare: Compare, service: Serve) -> None:
    a, b = service(), service()
    compare(a.url, b.url)

    assert not [each for each in (*a.asked, *b.asked) if "Prediction-Key" in each.headers]
    assert not [each for each in (*a.asked, *b.asked) if "Authorization" in each.headers]


def test_an_address_alone_is_asked_at_the_same_path_and_to_store_nothing(
    compare: Compare, service: Serve
) -> None:
    a, b = service(), service()
    ran = compare(a.url, b.address)

    assert ran.status == 0, ran.err
    assert {each.path for each in b.asked} == {
        f"/customvision/v3.1/prediction/{PROJECT}/classify/iterations/pets/image/nostore"
    }


def test_both_are_asked_at_the_same_time(compare: Compare, service: Serve) -> None:
    side_by_side = threading.Barrier(2)

    def together(body: bytes) -> Reply:
        side_by_side.wait(20)  # breaks if the other is not asked meanwhile
        return cat(body)

    ran = compare(service(together).url, service(together).url, "--concurrency", "1")

    assert (ran.status, ran.err) == (0, "")


def test_a_limit_takes_images_from_everywhere(
    compare: Compare, service: Serve, folder: Path
) -> None:
    for number in range(6):
        (folder / f"z{number}.png").write_bytes(f"z{number}".encode())
    a = service()
    compare(a.url, service().url, "--limit", "5")

    assert sorted(each.body for each in a.asked) == [b"a.png", b"sub/c.gif", b"z0", b"z2", b"z4"]


def test_a_rate_is_kept(compare: Compare, service: Serve) -> None:
    a, b = service(), service()
    started = time.monotonic()
    compare(a.url, b.url, "--rate", "10")

    for each in (a, b):
        assert each.asked[-1].at - started >= 0.3


def test_no_proxy_sees_what_stays_on_this_machine(
    compare: Compare, service: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    trap = service()
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, trap.address)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    ran = compare(service().url, service().url)

    assert (ran.status, trap.asked) == (0, [])


@posix_only
def test_no_password_of_a_netrc_is_sent(
    compare: Compare, service: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 0.0.0.0 login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("no_proxy", "*")
    a = service()
    # This machine by an address that is not known as such: there the environment counts.
    ran = compare(a.url.replace("127.0.0.1", "0.0.0.0"), service().url)

    assert ran.status == 0, ran.err
    assert len(a.asked) == 4
    assert not [each for each in a.asked if "Authorization" in each.headers]
