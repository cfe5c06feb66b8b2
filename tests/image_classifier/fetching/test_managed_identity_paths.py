"""Paths of blobs that the identity opens, and paths that could lead into another container."""

from __future__ import annotations

import time

import pytest

from image_classifier.fetching.managed_identity import leads_into
from image_classifier.fetching.urls import parse_url

CONTAINERS = frozenset({"images", "cat-photos"})


@pytest.mark.parametrize(
    "path",
    [
        "/images/cat.png",
        "/cat-photos/2026/07/cat.png",
        "/images/2026%2F07%2Fcat.png",
        "/images/my%20cat%20%281%29.png",
        "/images/K%C3%A4tzchen%E2%80%AFAM.png",
        "/images/100%25.png",
        "/images/a%2520b.png",
        "/images/.hidden/..cat..png",
        "/images/cat.png.",
        "/images/a;b.png",
        "/images/packages",
        "/images/why%3F.png",
    ],
)
def test_blobs_of_the_named_containers_are_the_apps_own(path: str) -> None:
    assert leads_into(path, CONTAINERS)


# What a server, or something before it, could read as the path of another container.
TRICKS = [
    "/packages/released.zip",
    "/azure-webjobs-secrets/app/host.json",
    "/images2/cat.png",
    "/images-/cat.png",
    "/image/s/cat.png",
    "/cat.png",
    "/images",
    "/images/",
    "/",
    "/$root/cat.png",
    "/%24web/cat.png",
    "//images/cat.png",
    "//packages/released.zip",
    "/./images/cat.png",
    "/x/../images/cat.png",
    "/Images/cat.png",
    "/IMAGES/cat.png",
    "/%69mages/cat.png",
    "/images%20/cat.png",
    "/images%00/cat.png",
    "/images;packages/cat.png",
    "/images,packages/cat.png",
    "/images%2Fcat.png",
    "/images%2f..%2fpackages/released.zip",
    "/%70ackages/released.zip",
    "/%EF%BD%89mages/cat.png",
    "/images/../packages/released.zip",
    "/images/a/../../packages/released.zip",
    "/images/..",
    "/images/./cat.png",
    "/images/.../packages",
    "/images/..;/packages/released.zip",
    "/images/..;x=1/packages/released.zip",
    "/images/..%3b/packages/released.zip",
    "/images/..%20/packages/released.zip",
    "/images/..%2fpackages/released.zip",
    "/images/%2e%2e/packages/released.zip",
    "/images/.%2E/packages/released.zip",
    "/images/%2e%2e%2fpackages%2freleased.zip",
    "/images/%252e%252e/packages/released.zip",
    "/images/%25252e%25252e%25252fpackages/released.zip",
    "/images/%2525252525252e%2525252525252e/packages/released.zip",
    "/images/..%5cpackages%5creleased.zip",
    "/images/x%5c..%5c..%5cpackages",
    "/images/%255c%255cpackages",
    "/images/%c0%ae%c0%ae/packages/released.zip",
    "/images/%c0%af..",
    "/images/%ff",
    "/images/%EF%BC%8E%EF%BC%8E/packages/released.zip",
    "/images/%EF%BC%8E%EF%BC%8E%EF%BC%8Fpackages",
    "/images/x%EF%BC%BC..%EF%BC%BCpackages",
    "/images/%E2%80%A5/packages/released.zip",
    "/images//cat.png",
    "/images/%2fcat.png",
    "/images/%2F%2Fstore.example/cat.png",
    "/images/cat.png/",
    "/images/cat.png%2f",
    "/images/%20/cat.png",
    "/images/cat.png%00.jpg",
    "/images/cat%0d%0aX-More:%20lines.png",
    "/images/cat%C2%85.png",
]


@pytest.mark.parametrize("path", TRICKS)
def test_a_path_that_could_lead_elsewhere_is_not(path: str) -> None:
    url = parse_url(f"https://store.blob.core.windows.net{path}")

    assert not leads_into(url.path, CONTAINERS)


def test_a_path_that_is_encoded_many_times_is_soon_done_with() -> None:
    started = time.monotonic()

    assert not leads_into("/images/%" + "25" * 4000, CONTAINERS)
    assert time.monotonic() - started < 1
