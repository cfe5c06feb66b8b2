"""The app settings become the policy, and their switch for Development counts only there."""

from __future__ import annotations

import pytest

from image_classifier import Settings
from image_classifier.errors import FetchBlocked
from image_classifier.fetching.fetch import fetch
from image_classifier.fetching.policy import FetchPolicy
from tests.support.fetch_servers import Server, ok


def policy_of(**environ: str) -> FetchPolicy:
    return FetchPolicy.from_settings(Settings.from_environ(environ))


def test_without_settings_the_policy_is_its_own_default() -> None:
    assert policy_of() == FetchPolicy()


def test_every_setting_of_fetch_is_in_the_policy() -> None:
    policy = policy_of(
        FETCH_TIMEOUT_SECONDS="7",
        FETCH_ALLOWED_HOSTS="a.example,*.B.example",
        FETCH_ALLOWED_PORTS="81",
        FETCH_ALLOW_PRIVATE_ADDRESSES="true",
        AZURE_FUNCTIONS_ENVIRONMENT="Development",
        FETCH_BLOB_IDENTITY="true",
        FETCH_BLOB_CONTAINERS="images",
        AzureWebJobsStorage__accountName="store",
        MAX_IMAGE_BYTES="1000",
    )

    assert policy.own_blobs is not None
    assert policy.own_blobs.host == "store.blob.core.windows.net"
    assert policy == FetchPolicy(
        allowed_hosts=("a.example", "*.b.example"),
        allowed_ports=frozenset({81}),
        allow_private_addresses=True,
        timeout_seconds=7.0,
        max_bytes=1000,
        own_blobs=policy.own_blobs,
    )


def test_private_addresses_open_in_development_only() -> None:
    opened = policy_of(
        FETCH_ALLOW_PRIVATE_ADDRESSES="true", AZURE_FUNCTIONS_ENVIRONMENT="Development"
    )
    published = policy_of(FETCH_ALLOW_PRIVATE_ADDRESSES="true", FETCH_ALLOWED_PORTS="1")
    with Server(ok()) as server:
        assert fetch(server.url, opened) == b"image"

        with pytest.raises(FetchBlocked):
            fetch(server.url, published)

    assert server.connections == 1
