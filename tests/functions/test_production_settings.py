"""An app in Azure with no settings at all, or with settings that were meant for a laptop."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from image_classifier.settings import SETTINGS
from tests.support.builders import colour_image
from tests.support.fetch_servers import Trap
from tests.support.servers import LocalHost

ROOT = Path(__file__).resolve().parents[2]
KEY = {"x-functions-key": "a-long-key"}


@pytest.fixture(scope="module")
def bare() -> Iterator[LocalHost]:
    """No settings at all: an empty file instead of the example."""
    with LocalHost(app_root=ROOT, settings=None, environment="Production", env=unset()) as app:
        yield app


@pytest.fixture(scope="module")
def careless() -> Iterator[LocalHost]:
    """The example's settings, FETCH_ALLOW_PRIVATE_ADDRESSES=true among them, and a key."""
    env = {"API_KEYS": KEY["x-functions-key"]}
    with LocalHost(app_root=ROOT, env=env, environment="Production") as app:
        yield app


@pytest.fixture
def trap() -> Iterator[Trap]:
    """A web server on the machine itself that nobody may dial."""
    with contextlib.closing(Trap()) as listening:
        yield listening


def unset() -> dict[str, str]:
    # An existing variable wins over the file, and an empty one means the default.
    return {setting.name: "" for setting in SETTINGS}


@pytest.mark.parametrize("route", ["api/classify", "api/status"])
@pytest.mark.parametrize(
    "headers",
    [{}, {"x-functions-key": ""}, {"x-functions-key": "guess"}, {"Authorization": "Bearer null"}],
)
def test_with_no_settings_nobody_gets_in(
    bare: LocalHost, route: str, headers: dict[str, str]
) -> None:
    response = requests.get(f"{bare.url}/{route}?code=guess", headers=headers, timeout=30)

    assert response.status_code == 401
    assert response.json()["error"]["code"] == "Unauthorized"
    assert "API_KEYS" in response.json()["error"]["message"]


def test_with_no_settings_nothing_private_is_fetched(bare: LocalHost, trap: Trap) -> None:
    response = requests.get(
        f"{bare.url}/api/classify", params={"img": f"http://127.0.0.1:{trap.port}/a"}, timeout=30
    )

    assert response.status_code == 401
    assert trap.connections == 0


def test_published_laptop_settings_open_nothing_private(careless: LocalHost, trap: Trap) -> None:
    for host in ("127.0.0.1", "localhost", "[::1]", "169.254.169.254", "10.0.0.1"):
        response = requests.get(
            f"{careless.url}/api/classify",
            params={"img": f"http://{host}:{trap.port}/a"},
            headers=KEY,
            timeout=30,
        )

        assert response.status_code == 403, host
        assert response.json()["error"]["code"] == "FetchBlocked"
    assert trap.connections == 0


def test_published_laptop_settings_want_the_key(careless: LocalHost) -> None:
    body = colour_image()

    assert requests.post(f"{careless.url}/api/classify", data=body, timeout=30).status_code == 401
    with_key = requests.post(f"{careless.url}/api/classify", data=body, headers=KEY, timeout=60)
    assert with_key.status_code == 200


def test_no_key_is_ever_logged(careless: LocalHost) -> None:
    for sent in (KEY["x-functions-key"], "a-wrong-one"):
        requests.get(f"{careless.url}/api/status?code={sent}", timeout=30)
        requests.get(f"{careless.url}/api/status", headers={"x-functions-key": sent}, timeout=30)

    assert KEY["x-functions-key"] not in careless.log()
    assert "a-wrong-one" not in careless.log()
