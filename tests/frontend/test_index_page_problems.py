"""The page explains each thing that goes wrong."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.frontend.reader import (
    Sample,
    choose_file,
    open_page,
    problem,
    sample_button,
    spoken,
    type_url,
    verdict,
    wait_for_problem,
)

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.support.servers import LocalHost

pytestmark = pytest.mark.browser


def test_a_url_without_an_image_is_explained(
    page: Page, host: LocalHost, expected_in_console: list[str]
) -> None:
    expected_in_console += ["404 (Not Found)", "424 (Failed Dependency)"]
    open_page(page, host.url)
    type_url(page, f"{host.url}/samples/none.png")

    assert "404" in problem(page)
    assert "FetchFailed, HTTP 424" in problem(page)
    assert page.get_by_text("This browser cannot show the image from its address.").is_visible()


@pytest.mark.parametrize(
    ("text", "status", "code"),
    [("cat.png", 400, "InvalidRequest"), ("file:///etc/passwd", 403, "FetchBlocked")],
)
def test_an_address_that_the_api_refuses_is_explained(
    page: Page, host: LocalHost, expected_in_console: list[str], text: str, status: int, code: str
) -> None:
    expected_in_console.append(f"status of {status}")
    open_page(page, host.url)
    with page.expect_response(lambda response: "/api/classify" in response.url) as caught:
        type_url(page, text)
    wait_for_problem(page)

    assert caught.value.json()["error"]["message"] in problem(page)
    assert f"{code}, HTTP {status}" in problem(page)
    assert caught.value.json()["error"]["message"] in spoken(page).inner_text()


def test_no_address_at_all_is_said_beside_the_field(page: Page, host: LocalHost) -> None:
    open_page(page, host.url)
    page.get_by_role("button", name="Classify").click()
    field = page.get_by_label("Address of an image")

    assert field.get_attribute("aria-invalid") == "true"
    assert page.get_by_text("Paste the address of an image here first.").is_visible()
    assert field.evaluate("(field) => field === document.activeElement")


def test_a_file_that_is_no_image_is_explained(
    page: Page, host: LocalHost, expected_in_console: list[str], tmp_path: Path
) -> None:
    expected_in_console.append("415")
    (tmp_path / "notes.txt").write_text("no image at all")
    open_page(page, host.url)
    choose_file(page, tmp_path / "notes.txt")

    assert "UnsupportedImage, HTTP 415" in problem(page)
    assert page.get_by_text("This browser cannot show the image.").is_visible()
    with page.expect_popup() as popup:
        page.get_by_role("link", name="Raw JSON").click()
    assert '"UnsupportedImage"' in popup.value.locator("pre").inner_text()


def test_an_answer_that_is_not_json_is_explained(
    page: Page, host: LocalHost, samples: list[Sample], expected_in_console: list[str]
) -> None:
    expected_in_console.append("502")
    page.route(
        "**/api/classify",
        lambda route: route.fulfill(
            status=502, content_type="text/html", body="<h1>Bad Gateway</h1>"
        ),
    )
    open_page(page, host.url)
    sample_button(page, samples[0]).click()

    assert "answered with text/html where JSON was expected" in problem(page)
    assert "HTTP 502" in problem(page)


def test_a_lost_network_is_explained_and_can_be_tried_again(
    page: Page, host: LocalHost, samples: list[Sample], expected_in_console: list[str]
) -> None:
    expected_in_console.append("ERR_INTERNET_DISCONNECTED")
    open_page(page, host.url)
    page.route("**/api/classify", lambda route: route.abort("internetdisconnected"))
    sample_button(page, samples[0]).click()
    wait_for_problem(page)

    assert (
        f"No answer came from {host.url}: it may not be running, or the network may be down."
        in problem(page)
    )

    page.unroute("**/api/classify")
    page.get_by_role("button", name="Try again").click()

    assert verdict(page) == samples[0]["label"]
