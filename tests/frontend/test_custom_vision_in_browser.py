"""A page on another origin calls the prediction API: with Microsoft's SDK, and with plain fetch."""

from __future__ import annotations

import functools
import http.server
import os
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.frontend.reader import KEY, SAMPLES, Sample
from tests.support.custom_vision_client.node_client import FOLDER, install_sdk

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.support.servers import LocalHost

pytestmark = pytest.mark.browser

PROJECT = "6ad1d8e4-27de-4e47-8bf1-1c3b0b3f4a11"
# Not Playwright's routes: where they are in use, it answers every preflight itself.
FETCH = """async ([address, headers]) => {
    const response = await fetch(address, { method: "POST", headers, body: chosen() });
    return [response.headers.get("X-Model"), await response.json()];
}"""


class _QuietHandler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.0"  # no connection stays open, so closing the server ends all

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def shop() -> Iterator[str]:
    """The page and the SDK's own files from a plain static server: another origin."""
    install_sdk()
    handler = functools.partial(_QuietHandler, directory=os.fspath(FOLDER))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/page.html"
        server.shutdown()
        thread.join()


@pytest.fixture
def shop_page(page: Page, shop: str, samples: list[Sample]) -> Page:
    """The page with an image chosen in it."""
    page.goto(shop)
    page.get_by_label("Image").set_input_files(SAMPLES / samples[0]["file"])
    return page


def ask(page: Page, host: LocalHost, method: str, given: str, key: str = KEY) -> Any:
    """What the SDK gives in the page; ``given`` is JavaScript."""
    program = f"(call) => ask(...call, {given})"
    return page.evaluate(program, [host.url, key, method, PROJECT, "Iteration1"])


@pytest.mark.parametrize("method", ["classifyImage", "classifyImageWithNoStore"])
def test_the_sdk_classifies_a_chosen_file(
    shop_page: Page, keyed_host: LocalHost, samples: list[Sample], method: str
) -> None:
    answer = ask(shop_page, keyed_host, method, "chosen()")

    assert answer["predictions"][0]["tagName"] == samples[0]["label"], answer
    assert answer["project"] == PROJECT


def test_the_sdk_classifies_a_url(
    shop_page: Page, keyed_host: LocalHost, samples: list[Sample]
) -> None:
    url = f"{keyed_host.url}/samples/{samples[0]['file']}"
    answer = ask(shop_page, keyed_host, "classifyImageUrl", f"{{ url: {url!r} }}")

    assert answer["predictions"][0]["tagName"] == samples[0]["label"], answer


def test_the_sdk_can_read_why_it_was_refused(
    shop_page: Page, keyed_host: LocalHost, expected_in_console: list[str]
) -> None:
    expected_in_console += ["401 (Unauthorized)", "400 (Bad Request)"]
    stranger = ask(shop_page, keyed_host, "classifyImage", "chosen()", key="wrong")["error"]
    bad = ask(shop_page, keyed_host, "classifyImage", "new Blob(['no image'])")["error"]

    assert stranger["statusCode"] == 401, stranger
    assert stranger["message"].startswith("Access denied due to invalid subscription key")
    assert (bad["statusCode"], bad["code"]) == (400, "BadRequestImageFormat")


def test_plain_fetch_sends_the_key_across_origins(
    shop_page: Page, keyed_host: LocalHost, samples: list[Sample]
) -> None:
    path = f"/customvision/v3.0/Prediction/{PROJECT}/classify/iterations/Iteration1/image"
    headers = {"Prediction-Key": KEY, "Content-Type": "application/octet-stream"}
    model, answer = shop_page.evaluate(FETCH, [keyed_host.url + path, headers])

    assert answer["predictions"][0]["tagName"] == samples[0]["label"]
    assert model == "digits/2"


def test_a_header_that_the_preflight_does_not_allow_stays_here(
    shop_page: Page, keyed_host: LocalHost, expected_in_console: list[str]
) -> None:
    """So the others do come through a preflight."""
    from playwright.sync_api import Error

    expected_in_console += ["blocked by CORS policy", "net::ERR_FAILED"]
    path = f"/customvision/v3.0/Prediction/{PROJECT}/classify/iterations/Iteration1/image"
    with pytest.raises(Error, match="Failed to fetch"):
        shop_page.evaluate(FETCH, [keyed_host.url + path, {"Prediction-Key": KEY, "X-Other": "1"}])
