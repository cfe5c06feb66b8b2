"""Fixtures of the tests of fetch: an Internet on one machine, a trap, and TLS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from image_classifier.fetching import connect
from tests.support.fetch_policies import OTHER_PUBLIC, PUBLIC
from tests.support.fetch_servers import Internet, Server, Trap, internet_of


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


@pytest.fixture(scope="module")
def any_server() -> Iterator[Server]:
    with Server() as server:
        yield server


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
