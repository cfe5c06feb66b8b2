"""Every way into frontend/index.html, in a real Chromium, to the real local host and demo model."""

from __future__ import annotations

import base64
import os
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from tests.frontend.reader import (
    SAMPLES,
    Sample,
    choose_file,
    open_page,
    sample_button,
    stages,
    verdict,
    wait_for_answer,
)

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

    from tests.support.servers import LocalHost

pytestmark = pytest.mark.browser


def test_every_sample_gets_its_digit(page: Page, host: LocalHost, samples: list[Sample]) -> None:
    open_page(page, host.url)

    assert len(samples) >= 5
    for sample in samples:
        sample_button(page, sample).click()
        assert verdict(page, sample["file"]) == sample["label"], sample["file"]
        assert sample_button(page, sample).get_attribute("aria-pressed") == "true"


def test_a_chosen_file_is_classified_and_previewed(
    page: Page, host: LocalHost, samples: list[Sample]
) -> None:
    open_page(page, host.url)
    choose_file(page, SAMPLES / samples[1]["file"])
    wait_for_answer(page)
    preview = page.locator("figure img")

    assert verdict(page) == samples[1]["label"]
    assert (preview.get_attribute("src") or "").startswith("blob:")
    assert preview.evaluate("(img) => img.decode().then(() => img.naturalWidth)") > 0
    assert stages(page) == ["decode", "preprocess", "infer", "the rest", "total"]


def test_a_dropped_file_is_classified(
    page: Page, context: BrowserContext, host: LocalHost, samples: list[Sample]
) -> None:
    open_page(page, host.url)
    devtools = context.new_cdp_session(page)
    files = [os.fspath(SAMPLES / sample["file"]) for sample in samples[2:4]]
    for step in ("dragEnter", "dragOver", "drop"):
        drag = {"items": [], "files": files, "dragOperationsMask": 1}
        devtools.send("Input.dispatchDragEvent", {"type": step, "x": 300, "y": 300, "data": drag})
        if step == "dragOver":
            page.get_by_text("Let go to classify it").wait_for()

    assert verdict(page) == samples[2]["label"]
    assert "2 files came at once" in page.locator(".result").inner_text()


def test_a_pasted_image_is_classified(
    page: Page, context: BrowserContext, host: LocalHost, samples: list[Sample]
) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_page(page, host.url)
    sample = next(sample for sample in samples if sample["file"].endswith(".png"))
    image = base64.b64encode((SAMPLES / sample["file"]).read_bytes()).decode()
    page.evaluate(
        """async (base64) => {
          const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
          const image = new Blob([bytes], { type: 'image/png' });
          await navigator.clipboard.write([new ClipboardItem({ 'image/png': image })]);
        }""",
        image,
    )
    page.keyboard.press("Control+V")

    assert verdict(page) == sample["label"]


def test_a_url_is_fetched_by_the_api(page: Page, host: LocalHost, samples: list[Sample]) -> None:
    url = f"{host.url}/samples/{samples[4]['file']}"
    open_page(page, host.url)
    page.get_by_label("Address of an image").fill(url)
    with page.expect_request(lambda request: "/api/classify" in request.url) as caught:
        page.get_by_role("button", name="Classify").click()
    wait_for_answer(page)

    assert caught.value.method == "GET"
    assert caught.value.url.endswith("?img=" + quote(url, safe=""))
    assert page.locator("figure img").get_attribute("src") == url
    assert verdict(page) == samples[4]["label"]
    assert stages(page)[0] == "fetch"


def test_a_pasted_url_is_classified(
    page: Page, context: BrowserContext, host: LocalHost, samples: list[Sample]
) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_page(page, host.url)
    url = f"{host.url}/samples/{samples[0]['file']}"
    page.evaluate("(url) => navigator.clipboard.writeText(url)", url)
    page.keyboard.press("Control+V")
    wait_for_answer(page)

    assert page.get_by_label("Address of an image").input_value() == url
    assert verdict(page) == samples[0]["label"]
