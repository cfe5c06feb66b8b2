"""Policies for the tests of fetch, and two public addresses."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from image_classifier.fetching.fetch import fetch
from image_classifier.fetching.policy import FetchPolicy
from tests.support.fetch_servers import Answer, Server

__all__ = ["HURRIED", "LIMIT", "OPEN", "OTHER_PUBLIC", "PUBLIC", "STRICT", "fetch_answer", "strict"]

PUBLIC = "93.184.215.14"
OTHER_PUBLIC = "93.184.215.15"
LIMIT = 100_000

STRICT = FetchPolicy(timeout_seconds=5, max_bytes=LIMIT)
# As in Development: servers on this machine may be fetched.
OPEN = replace(STRICT, allow_private_addresses=True)
HURRIED = replace(OPEN, timeout_seconds=0.1)


def strict(
    *, hosts: tuple[str, ...] = (), ports: Collection[int] = STRICT.allowed_ports
) -> FetchPolicy:
    """The strict policy with other hosts or ports."""
    return replace(STRICT, allowed_hosts=hosts, allowed_ports=frozenset(ports))


def fetch_answer(answer: Answer, policy: FetchPolicy = OPEN) -> bytes:
    """Fetches from a server that answers so."""
    with Server(answer) as server:
        return fetch(server.url + "/cat.png", policy)
