"""Endpoints that are understood, and messages about the others."""

from __future__ import annotations

import pytest

from tools.compare.addresses import Address, read_addresses
from tools.shared.errors import ToolError

PROJECT = "6ad1d8e4-27de-4e47-8bf1-1c3b0b3f4a11"
CLOUD = "https://my.cognitiveservices.azure.com"
BY_NAME = f"{CLOUD}/customvision/v3.0/Prediction/{PROJECT}/classify/iterations/My%20pets"
LOCAL = "http://localhost:7071"


@pytest.mark.parametrize(
    ("text", "url", "stores"),
    [
        (f"{BY_NAME}/image", f"{BY_NAME}/image", True),
        (f"{BY_NAME}/image/nostore", f"{BY_NAME}/image/nostore", False),
        (f"{BY_NAME}/url", f"{BY_NAME}/image", True),
        (f"{BY_NAME}/URL/nostore/", f"{BY_NAME}/image/nostore", False),
        (f"{BY_NAME}/image?a=b%20c&d", f"{BY_NAME}/image?a=b%20c&d", True),
        (f"{BY_NAME}/image#part", f"{BY_NAME}/image", True),
        # The exported container's.
        ("http://[::1]:8080/image", "http://[::1]:8080/image", True),
        (
            f"http://h/{PROJECT}/classify/iterations/i/image",
            f"http://h/{PROJECT}/classify/iterations/i/image",
            True,
        ),
    ],
)
def test_a_prediction_url_is_taken_as_it_is(text: str, url: str, stores: bool) -> None:
    first, second = read_addresses([text, f"{BY_NAME}/image"])

    assert first == Address(url, stores)
    assert second == Address(f"{BY_NAME}/image", True)


def test_an_address_alone_takes_the_rest_from_the_other_one() -> None:
    first, second = read_addresses([f"{BY_NAME}/image", f"{LOCAL}/api/?code=secret"])

    assert first.url == f"{BY_NAME}/image"
    assert second.url == (
        f"{LOCAL}/api/customvision/v3.1/prediction/{PROJECT}/classify/iterations/My%20pets/image/"
        "nostore?code=secret"
    )
    assert not second.stores


def test_project_and_iteration_make_prediction_urls_of_addresses() -> None:
    other = "00000000-0000-0000-0000-000000000007"
    both = read_addresses([CLOUD, LOCAL], project=other, iteration="100% ä/b")
    path = f"/customvision/v3.1/prediction/{other}/classify/iterations/100%25%20%C3%A4%2Fb/image"
    one = read_addresses([f"{BY_NAME}/image", LOCAL], iteration="mine")

    assert [each.url for each in both] == [f"{CLOUD}{path}/nostore", f"{LOCAL}{path}/nostore"]
    assert f"/{PROJECT}/classify/iterations/mine/image/nostore" in one[1].url


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        ([], "--endpoint is there not. Give it twice"),
        ([LOCAL], "--endpoint is there once. Give it twice"),
        ([LOCAL] * 3, "--endpoint is there 3 times"),
        (["localhost:7071", LOCAL], "starts with https:// or http://, and this is none"),
        (["ftp://h/image", LOCAL], "starts with https:// or http://"),
        (["http:///image", LOCAL], "starts with https:// or http://"),
        (["http://h:port/image", LOCAL], "starts with https:// or http://"),
        (["http://[::1/image", LOCAL], "starts with https:// or http://"),
        (["http://h/a b/image", LOCAL], "starts with https:// or http://"),
        (["http://h/\x1b[2J/image", LOCAL], "starts with https:// or http://"),
        (["http://me:secret@h/image", LOCAL], "no user and password in it"),
        ([f"{CLOUD}/customvision/v3.0/Prediction/", LOCAL], "those end with /image"),
        ([BY_NAME, LOCAL], "those end with /image"),
        ([f"{BY_NAME}/image".replace("classify", "detect"), LOCAL], "This compares classifiers"),
        ([CLOUD, LOCAL], "Say which with --project and --iteration"),
        (["http://h/image", LOCAL], "Say which with --project and --iteration"),
        (["http://h/iterations/i/image?code=secret", LOCAL], "Say which with --project"),
        (["http://h/pets/classify/iterations/i/image", LOCAL], "'pets' is no project id"),
    ],
)
def test_what_is_no_endpoint_is_said_in_a_sentence(texts: list[str], words: str) -> None:
    with pytest.raises(ToolError) as error:
        read_addresses(texts)

    assert words in str(error.value)
    assert "secret" not in str(error.value)
    assert str(error.value).isprintable()


def test_a_project_that_no_endpoint_needs_is_refused() -> None:
    with pytest.raises(ToolError, match="Leave out --project and --iteration"):
        read_addresses([f"{BY_NAME}/image"] * 2, iteration="mine")


def test_what_is_shown_has_no_query() -> None:
    assert Address("http://h/image?code=secret", True).shown == "http://h/image?…"
    assert Address("http://h/image", True).shown == "http://h/image"


@pytest.mark.parametrize(
    ("url", "is_local"),
    [
        ("http://localhost:7071/image", True),
        ("http://LOCALHOST/image", True),
        ("http://127.0.0.9/image", True),
        ("http://[::1]/image", True),
        ("http://10.0.0.1/image", False),
        ("http://localhost.example.com/image", False),
        ("https://my.cognitiveservices.azure.com/image", False),
    ],
)
def test_what_is_on_this_machine_is_known(url: str, is_local: bool) -> None:
    assert Address(url, True).is_local is is_local
