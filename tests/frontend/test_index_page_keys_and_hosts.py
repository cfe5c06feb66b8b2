"""The page when the API wants a key, has several models, or is on another host."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from tests.frontend.reader import (
    FRONTEND,
    KEY,
    SAMPLES,
    Sample,
    choose_file,
    curl_line,
    give_key,
    open_page,
    problem,
    sample_button,
    stages,
    verdict,
    wait_for_answer,
    wait_for_models,
)

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

    from tests.support.servers import LocalHost

pytestmark = pytest.mark.browser


def test_a_key_is_asked_for_and_kept_for_the_tab_only(
    page: Page,
    context: BrowserContext,
    keyed_host: LocalHost,
    host: LocalHost,
    samples: list[Sample],
    expected_in_console: list[str],
) -> None:
    expected_in_console.append("401 (Unauthorized)")
    page.goto(keyed_host.url)
    page.get_by_role("heading", name="The API asks for a key").wait_for()
    sample_button(page, samples[0]).click()
    assert "Unauthorized, HTTP 401" in problem(page)
    page.wait_for_function("() => document.activeElement.id === 'key'")

    give_key(page, "wrong")
    page.locator("form", has_text="The key is wrong.").wait_for()
    give_key(page, KEY)
    wait_for_answer(page)  # what had failed for want of a key is done now

    assert verdict(page) == samples[0]["label"]
    assert page.get_by_label("Key", exact=True).count() == 0
    assert KEY not in page.content()
    assert "$API_KEY" in curl_line(page)

    page.reload()
    wait_for_models(page)  # it is still known in this tab
    assert page.evaluate("Object.values(localStorage).length") == 0
    assert KEY not in page.evaluate("document.cookie")

    seen: list[str | None] = []
    page.on("request", lambda request: seen.append(request.headers.get("x-functions-key")))
    open_page(page, f"{keyed_host.url}/?api={host.url}")
    assert seen and not any(seen), "another API is not given this one's key"

    page.goto(keyed_host.url)
    wait_for_models(page)
    page.locator("summary").click()
    page.get_by_role("button", name="Forget the key").click()
    page.get_by_role("heading", name="The API asks for a key").wait_for()
    assert page.evaluate("Object.values(sessionStorage).length") == 0


def test_models_and_versions_are_those_of_the_status(
    page: Page, keyed_host: LocalHost, samples: list[Sample], expected_in_console: list[str]
) -> None:
    expected_in_console += ["401 (Unauthorized)", "503 (Service Unavailable)"]
    page.goto(keyed_host.url)
    give_key(page, KEY)
    model, version = page.get_by_label("Name", exact=True), page.get_by_label("Version", exact=True)
    model.wait_for()

    assert model.input_value() == "digits"
    assert sorted(model.locator("option").all_inner_texts()) == ["broken", "digits (default)"]
    assert version.locator("option").all_inner_texts() == ["newest (2)", "2", "1"]

    sample_button(page, samples[0]).click()
    page.get_by_text("Answered by digits/2 on onnx (CPUExecutionProvider).").wait_for()
    version.select_option("1")
    page.get_by_text("Answered by digits/1 on onnx (CPUExecutionProvider).").wait_for()
    assert verdict(page) == samples[0]["label"]

    model.select_option("broken")
    assert "ModelError, HTTP 503" in problem(page)
    assert "labels.txt" in problem(page)


def test_the_page_works_from_any_static_host(
    page: Page, static_site: str, host: LocalHost, samples: list[Sample]
) -> None:
    open_page(page, f"{static_site}/index.html?api={host.url}/")
    sample_button(page, samples[0]).click()

    assert verdict(page) == samples[0]["label"]
    assert page.locator("header .address").inner_text() == host.url
    assert {"decode", "preprocess", "infer"} <= set(stages(page)), "CORS lets Server-Timing through"
    assert page.get_by_text("Answered by digits/1 on onnx (CPUExecutionProvider).").is_visible()


def test_a_key_crosses_origins_and_a_wrong_one_can_be_mended_at_once(
    page: Page,
    static_site: str,
    keyed_host: LocalHost,
    samples: list[Sample],
    expected_in_console: list[str],
) -> None:
    expected_in_console.append("401 (Unauthorized)")
    page.goto(f"{static_site}/?api={keyed_host.url}")
    sample_button(page, samples[0]).click()
    give_key(page, "wrong")
    give_key(page, KEY)  # while the answers to the wrong one are still under way
    wait_for_models(page)

    assert verdict(page) == samples[0]["label"]


def test_a_static_host_without_api_asks_for_the_address(
    page: Page, static_site: str, host: LocalHost, expected_in_console: list[str]
) -> None:
    expected_in_console.append("404")
    page.goto(static_site)
    page.get_by_text("where JSON was expected").wait_for()
    page.get_by_label("Address of the API").fill(host.url)
    page.get_by_role("button", name="Use it").click()
    wait_for_models(page)

    assert page.url == f"{static_site}/?api={quote(host.url, safe='')}"


def test_an_address_that_is_none_is_explained(page: Page, static_site: str) -> None:
    page.goto(f"{static_site}/?api=javascript:alert(1)")

    assert "must begin with http:// or https://" in page.get_by_role("alert").inner_text()


def test_an_api_that_does_not_answer_is_explained(
    page: Page, static_site: str, expected_in_console: list[str]
) -> None:
    expected_in_console.append("ERR_CONNECTION_REFUSED")
    page.goto(f"{static_site}/?api=http://127.0.0.1:9999")
    notice = page.get_by_role("alert")
    notice.wait_for()

    assert "No answer came from http://127.0.0.1:9999" in notice.inner_text()
    assert "CORS" in notice.inner_text()


def test_the_page_opened_as_a_file_works_with_an_address(
    page: Page, host: LocalHost, samples: list[Sample]
) -> None:
    page.goto((FRONTEND / "index.html").as_uri())
    assert "opened as a file" in page.get_by_role("alert").inner_text()
    page.get_by_label("Address of the API").fill(host.url)
    page.get_by_role("button", name="Use it").click()
    wait_for_models(page)
    choose_file(page, SAMPLES / samples[0]["file"])

    assert verdict(page) == samples[0]["label"]
